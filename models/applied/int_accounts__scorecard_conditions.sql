with

scorecard as (
    select
        condition_id,
        attribute,
        operator,
        value,
        {{ band_bound(0, '-infinity') }} as at_least,
        {{ band_bound(1, 'infinity') }} as below
    from {{ ref('learned_scorecard') }}
),

segments as (
    select
        account_id,
        segment_id
    from {{ ref('int_accounts__segments') }}
),

traits as (
    select * from {{ ref('int_accounts__traits') }}
    where attribute in (select attribute from scorecard)
),

known as (
    select traits.*
    from traits
    semi join scorecard on traits.attribute = scorecard.attribute and scorecard.operator = 'is_missing'
),

missing as (
    select
        segments.account_id,
        scorecard.condition_id
    from segments
    cross join scorecard
    anti join known on segments.account_id = known.account_id and scorecard.attribute = known.attribute
    where scorecard.operator = 'is_missing'
),

met as (
    select
        traits.account_id,
        scorecard.condition_id
    from traits
    inner join scorecard
        on
            traits.attribute = scorecard.attribute
            and traits.value = scorecard.value
    where scorecard.operator = '='
    union all
    select
        traits.account_id,
        scorecard.condition_id
    from traits
    inner join scorecard
        on
            traits.attribute = scorecard.attribute
            and traits.number >= scorecard.at_least
            and traits.number < scorecard.below
)

select
    account_id,
    condition_id
from met
union all
select
    account_id,
    condition_id
from missing
union all
select
    segments.account_id,
    scorecard.condition_id
from segments
inner join scorecard on segments.segment_id = scorecard.value
where scorecard.attribute = 'segment'
