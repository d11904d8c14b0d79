with

scorecard as (
    select
        *,
        cast(power(2, row_number() over (order by condition_id) - 1) as bigint) as bit
    from {{ ref('learned_scorecard') }}
),

met as (
    select * from {{ ref('int_accounts__scorecard_conditions') }}
),

base as (
    select points from scorecard
    where attribute is null
),

-- Accounts that meet the same conditions have the same score and reasons: a few hundred sets, however many accounts.
sets as (
    select
        met.account_id,
        sum(scorecard.bit) as condition_set
    from met
    inner join scorecard on met.condition_id = scorecard.condition_id
    group by met.account_id
),

examples as (
    select
        condition_set,
        min(account_id) as account_id
    from sets
    group by condition_set
),

met_by_set as (
    select
        examples.condition_set,
        met.condition_id
    from examples
    inner join met on examples.account_id = met.account_id
),

scores as (
    select
        met_by_set.condition_set,
        sum(scorecard.points) as points,
        max(scorecard.lowest) as lowest,
        min(scorecard.highest) as highest
    from met_by_set
    inner join scorecard on met_by_set.condition_id = scorecard.condition_id
    group by met_by_set.condition_set
),

said as (
    select
        condition_id,
        {{ json_objects('reasons', ['reason', 'points']) }} as part
    from scorecard
),

reasons as (
    select
        said.condition_id,
        said.part.reason,
        abs(cast(said.part.points as double)) as size
    from said
),

-- By points, ties by name.
ranked as (
    select
        met_by_set.condition_set,
        reasons.reason,
        row_number() over (
            partition by met_by_set.condition_set order by reasons.size desc, reasons.reason asc, reasons.condition_id asc
        ) as reason_number
    from met_by_set
    inner join reasons on met_by_set.condition_id = reasons.condition_id
),

leading_reasons as (
    select
        condition_set,
        max(case when reason_number = 1 then reason end) as reason_1,
        max(case when reason_number = 2 then reason end) as reason_2,
        max(case when reason_number = 3 then reason end) as reason_3
    from ranked
    where reason_number <= 3
    group by condition_set
)

select
    segments.account_id,
    leading_reasons.reason_1,
    leading_reasons.reason_2,
    leading_reasons.reason_3,
    round(
        least(
            greatest(base.points + coalesce(scores.points, 0), coalesce(scores.lowest, 0)), coalesce(scores.highest, 100)
        ),
        1
    ) as fit_score
from {{ ref('int_accounts__segments') }} as segments
cross join base
left join sets on segments.account_id = sets.account_id
left join scores on sets.condition_set = scores.condition_set
left join leading_reasons on sets.condition_set = leading_reasons.condition_set
