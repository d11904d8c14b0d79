with

assumptions as (
    select distinct
        profile,
        condition_id
    from {{ ref('checked_assumptions') }}
),

conditions as (
    select distinct
        condition_id,
        attribute,
        operator,
        value
    from {{ ref('checked_assumptions') }}
),

needed as (
    select
        profile,
        count(*) as condition_count
    from assumptions
    group by profile
),

met as (
    select
        evaluated.account_id,
        assumptions.profile,
        count(*) as condition_count
    from ({{ account_conditions('conditions') }}) as evaluated
    inner join assumptions on evaluated.condition_id = assumptions.condition_id
    where evaluated.is_met
    group by evaluated.account_id, assumptions.profile
)

select
    met.account_id,
    met.profile
from met
inner join needed
    on
        met.profile = needed.profile
        and met.condition_count = needed.condition_count
