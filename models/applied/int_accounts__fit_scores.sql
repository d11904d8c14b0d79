with

scorecard as (
    select * from {{ ref('learned_scorecard') }}
),

segments as (
    select * from {{ ref('int_accounts__segments') }}
),

said as (
    select
        condition_id,
        case when attribute = 'segment' then value end as segment_id,
        {{ json_objects('reasons', ['attribute', 'reason', 'points']) }} as part
    from scorecard
),

parts as (
    select
        said.condition_id,
        said.segment_id,
        said.part.attribute,
        said.part.reason,
        cast(said.part.points as double) as points
    from said
),

-- All that can be said of a segment's accounts: a trait's level, with what the segment's points are for the same trait; and the segment's
-- traits themselves, where a level has none.
reasons as (
    select
        scored.segment_id,
        levels.condition_id,
        levels.attribute,
        levels.reason,
        levels.points as points_of_level,
        round(levels.points + coalesce(parts.points, 0), 1) as points,
        parts.attribute is not null as is_of_rule
    from (select distinct segment_id from segments) as scored
    cross join parts as levels
    left join parts on scored.segment_id = parts.segment_id and levels.attribute = parts.attribute
    where levels.segment_id is null
    union all
    select
        segment_id,
        cast(null as {{ dbt.type_string() }}) as condition_id,
        attribute,
        reason,
        0 as points_of_level,
        points,
        true as is_of_rule
    from parts
    where segment_id is not null
),

-- By points, ties by name.
ranked as (
    select
        *,
        reason || ' (' || printf('%+d', cast(round(points) as integer)) || ')' as sentence,
        case
            when abs(points) >= 0.5 then row_number() over (order by abs(points) desc, reason asc, segment_id asc, condition_id asc)
        end as place
    from reasons
),

of_levels as (
    select
        met.account_id,
        ranked.attribute,
        ranked.points_of_level,
        ranked.is_of_rule,
        ranked.place
    from {{ ref('int_accounts__scorecard_conditions') }} as met
    inner join segments on met.account_id = segments.account_id
    inner join ranked on segments.segment_id = ranked.segment_id and met.condition_id = ranked.condition_id
),

levels_of_rules as (
    select
        account_id,
        attribute
    from of_levels
    where is_of_rule
),

of_rules as (
    select
        segments.account_id,
        ranked.points_of_level,
        ranked.place
    from segments
    inner join ranked on segments.segment_id = ranked.segment_id and ranked.condition_id is null
    anti join levels_of_rules
        on segments.account_id = levels_of_rules.account_id and ranked.attribute = levels_of_rules.attribute
),

scores as (
    select
        account_id,
        sum(points_of_level) as points,
        {{ nth_least('place', 1) }} as place_1,
        {{ nth_least('place', 2) }} as place_2,
        {{ nth_least('place', 3) }} as place_3
    from (
        select
            account_id,
            points_of_level,
            place
        from of_levels
        union all
        select * from of_rules
    )
    group by account_id
)

select
    segments.account_id,
    reasons_1.sentence as reason_1,
    reasons_2.sentence as reason_2,
    reasons_3.sentence as reason_3,
    round(
        least(
            greatest(base.points + coalesce(own.points, 0) + coalesce(scores.points, 0), coalesce(own.lowest, 0)),
            coalesce(own.highest, 100)
        ),
        1
    ) as fit_score
from segments
inner join scorecard as base on base.attribute is null
left join scorecard as own on own.attribute = 'segment' and segments.segment_id = own.value
left join scores on segments.account_id = scores.account_id
left join ranked as reasons_1 on scores.place_1 = reasons_1.place
left join ranked as reasons_2 on scores.place_2 = reasons_2.place
left join ranked as reasons_3 on scores.place_3 = reasons_3.place
