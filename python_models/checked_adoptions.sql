with

-- A broken definition stops the build here, before any account is placed by it.
problems as (
    select min_by(sentence, place) as sentence
    from {{ ref('rule_problems') }}
    where source = 'adopted'
),

checked as (
    select {{ stop_with('sentence') }} as stopped
    from problems
),

-- What was learned from the demo company is not applied to another, nor the other way round.
left_out as (
    select adoption_number
    from {{ ref('rule_problems') }}
    where source = 'left_out'
),

adoptions as (
    select
        cast(adoption.adoption_number as integer) as adoption_number,
        cast(adoption.adopted_on as date) as in_force_from,
        adoption.agreed_by_sales,
        adoption.agreed_by_marketing,
        adoption.reason,
        cast(adoption.as_of as date) as learned_as_of
    from {{ ref('stg_people__adoption') }} as adoption
    anti join left_out on adoption.adoption_number = left_out.adoption_number
    cross join checked
    where checked.stopped is null
),

-- Of a build as it was at the end of an earlier day, what was adopted later is no part.
existing as (
    select
        *,
        lead(in_force_from) over (order by adoption_number) as in_force_until,
        adoption_number = max(adoption_number) over () as is_in_force
    from adoptions
    where coalesce(in_force_from <= cast({{ as_of_setting() }} as date), true)
)

select * from existing
