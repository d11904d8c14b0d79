{% set days_to_win = 180 %}

with

as_of as (
    select * from {{ ref('int_as_of') }}
),

entries as (
    select * from {{ ref('int_stage_entries__by_cycle') }}
),

-- What Sales qualified has half a year to be won; younger ones are not judged yet.
qualified as (
    select
        entries.record_id,
        entries.tier,
        entries.cycle_start,
        max(case when {{ days_between('entries.entered_at', 'wins.entered_at') }} between 0 and {{ days_to_win }} then 1 else 0 end) as won
    from entries
    cross join as_of
    left join entries as wins
        on
            entries.account_id = wins.account_id
            and wins.stage = 'won'
    where
        entries.stage = 'sql'
        and {{ days_between('entries.entered_at', 'as_of.as_of') }} >= {{ days_to_win }}
    group by entries.record_id, entries.tier, entries.cycle_start
)

select
    tier,
    cycle_start,
    count(*) as matured_sql_count,
    sum(won) as won_sql_count
from qualified
group by tier, cycle_start
