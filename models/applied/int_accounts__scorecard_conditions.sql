with

scorecard as (
    select * from {{ ref('learned_scorecard') }}
),

conditions as (
    select
        condition_id,
        attribute,
        operator,
        value
    from scorecard
    where attribute <> 'segment'
)

select
    evaluated.account_id,
    evaluated.condition_id
from ({{ account_conditions('conditions') }}) as evaluated
where evaluated.is_met
union all
select
    segments.account_id,
    scorecard.condition_id
from {{ ref('int_accounts__segments') }} as segments
inner join scorecard on segments.segment_id = scorecard.value
where scorecard.attribute = 'segment'
