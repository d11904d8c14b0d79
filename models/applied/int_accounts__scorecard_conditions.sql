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

missing as (
    select
        segments.account_id,
        scorecard.condition_id
    from segments
    cross join scorecard
    left join traits on segments.account_id = traits.account_id and scorecard.attribute = traits.attribute
    where scorecard.operator = 'is_missing' and traits.account_id is null
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
    met.account_id,
    met.condition_id
from met
inner join segments on met.account_id = segments.account_id
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
