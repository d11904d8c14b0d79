-- In each cycle the shares of the tiers sum to 1, and each total is what was recorded: nothing missing, nothing twice.
{% set measures = ['account', 'lead', 'mql', 'sql', 'opportunity', 'win', 'won_value', 'spend'] %}

with

alignment as (
    select * from {{ ref('icp_alignment') }}
),

shares as (
    {% for measure in measures -%}
    select
        cycle_start,
        '{{ measure }}' as measure,
        sum({{ measure }}_share) as share
    from alignment
    group by cycle_start
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

totals as (
    select
        stage as measure,
        cast(count(*) as double) as recorded
    from {{ ref('int_stage_entries') }}
    group by stage
    union all
    select
        'won_value' as measure,
        cast(coalesce(sum(deal_size), 0) as double) as recorded
    from {{ ref('int_stage_entries') }}
    where stage = 'won'
    union all
    select
        'spend' as measure,
        cast(coalesce(sum(amount), 0) as double) as recorded
    from {{ ref('int_accounts__campaign_spend') }}
    union all
    select
        'account' as measure,
        cast(count(*) as double) as recorded
    from {{ ref('dim_accounts') }}
    where (select count(*) > 0 from alignment)
),

counted as (
    {% for measure in ['lead', 'mql', 'sql', 'opportunity'] -%}
    select
        '{{ measure }}' as measure,
        cast(sum({{ measure }}_count) as double) as counted
    from alignment
    union all
    {% endfor -%}
    select
        'won' as measure,
        cast(sum(win_count) as double) as counted
    from alignment
    union all
    select
        'won_value' as measure,
        cast(sum(won_value) as double) as counted
    from alignment
    union all
    select
        'spend' as measure,
        cast(sum(spend) as double) as counted
    from alignment
    union all
    select
        'account' as measure,
        cast(sum(account_count) as double) as counted
    from alignment
    where cycle_start = (select max(cycle_start) from alignment)
)

select
    measure,
    cycle_start,
    share as found,
    1 as expected
from shares
where abs(share - 1) > 1e-9
union all
select
    totals.measure,
    cast(null as date) as cycle_start,
    coalesce(counted.counted, 0) as found,
    totals.recorded as expected
from totals
left join counted on totals.measure = counted.measure
where abs(coalesce(counted.counted, 0) - totals.recorded) >= 0.005
