{% set counts = ['account', 'lead', 'mql', 'sql', 'opportunity', 'win'] %}

with

cycles as (
    select * from {{ ref('int_cycles__versions') }}
),

tiers as (
    select
        icp_version,
        tier
    from {{ ref('int_icp_versions__segments') }}
    union
    select
        icp_version,
        'unassigned' as tier
    from {{ ref('int_icp_versions') }}
),

cycle_tiers as (
    select
        cycles.*,
        tiers.tier
    from cycles
    inner join tiers on cycles.icp_version = tiers.icp_version
),

entry_counts as (
    select
        tier,
        cycle_start,
        count(*) filter (where stage = 'lead') as lead_count,
        count(*) filter (where stage = 'mql') as mql_count,
        count(*) filter (where stage = 'sql') as sql_count,
        count(*) filter (where stage = 'opportunity') as opportunity_count,
        count(*) filter (where stage = 'won') as win_count,
        sum(deal_size) filter (where stage = 'won') as won_value
    from {{ ref('int_stage_entries__by_cycle') }}
    group by tier, cycle_start
),

spend as (
    select
        tier,
        cycle_start,
        sum(amount) as spend
    from {{ ref('int_accounts__campaign_spend_by_cycle') }}
    group by tier, cycle_start
),

tier_counts as (
    select
        cycle_tiers.*,
        coalesce(account_counts.account_count, 0) as account_count,
        coalesce(entry_counts.lead_count, 0) as lead_count,
        coalesce(entry_counts.mql_count, 0) as mql_count,
        coalesce(entry_counts.sql_count, 0) as sql_count,
        coalesce(entry_counts.opportunity_count, 0) as opportunity_count,
        coalesce(entry_counts.win_count, 0) as win_count,
        entry_counts.won_value,
        coalesce(spend.spend, 0) as spend,
        coalesce(qualified_counts.matured_sql_count, 0) as matured_sql_count,
        coalesce(qualified_counts.won_sql_count, 0) as won_sql_count
    from cycle_tiers
    left join {{ ref('int_cycles__accounts_by_tier') }} as account_counts
        on
            cycle_tiers.cycle_start = account_counts.cycle_start
            and cycle_tiers.tier = account_counts.tier
    left join entry_counts
        on
            cycle_tiers.cycle_start = entry_counts.cycle_start
            and cycle_tiers.tier = entry_counts.tier
    left join spend
        on
            cycle_tiers.cycle_start = spend.cycle_start
            and cycle_tiers.tier = spend.tier
    left join {{ ref('int_cycles__qualified_by_tier') }} as qualified_counts
        on
            cycle_tiers.cycle_start = qualified_counts.cycle_start
            and cycle_tiers.tier = qualified_counts.tier
),

totals as (
    select
        *,
        {% for name in counts -%}
        sum({{ name }}_count) over (partition by cycle_start) as {{ name }}_total,
        {% endfor -%}
        sum(won_value) over (partition by cycle_start) as won_value_total,
        sum(spend) over (partition by cycle_start) as spend_total
    from tier_counts
)

select
    cycle_start,
    cycle_end,
    tier,
    icp_version,
    adoption_number,
    is_finished,
    is_after_adoption,
    {% for name in counts -%}
    cast({{ name }}_count as integer) as {{ name }}_count,
    cast({{ name }}_total as integer) as {{ name }}_total,
    {{ name }}_count / nullif(cast({{ name }}_total as double), 0) as {{ name }}_share,
    {% endfor -%}
    -- Won without any amount is unknown, not 0.
    cast(case when win_count = 0 then 0 else won_value end as decimal(18, 4)) as won_value,
    cast(case when win_total = 0 then 0 else won_value_total end as decimal(18, 4)) as won_value_total,
    cast(case when win_count = 0 then 0 else won_value end as double) / nullif(cast(won_value_total as double), 0) as won_value_share,
    cast(spend as decimal(18, 4)) as spend,
    cast(spend_total as decimal(18, 4)) as spend_total,
    cast(spend as double) / nullif(cast(spend_total as double), 0) as spend_share,
    cast(matured_sql_count as integer) as matured_sql_count,
    cast(won_sql_count as integer) as won_sql_count,
    won_sql_count / nullif(cast(matured_sql_count as double), 0) as qualification_accuracy,
    {{ wilson_low('won_sql_count', 'matured_sql_count') }} as qualification_accuracy_low,
    {{ wilson_high('won_sql_count', 'matured_sql_count') }} as qualification_accuracy_high
from totals
