with

accounts as (
    select distinct resolved_account_id as account_id
    from {{ ref('int_accounts__resolved') }}
    where not is_excluded
),

segment_conditions as (
    select * from {{ ref('int_segment_conditions') }}
),

-- Segments share conditions: each is looked at once per account.
conditions as (
    select distinct
        condition_id,
        attribute,
        operator,
        value
    from segment_conditions
),

listed_values as (
    select
        condition_id,
        {{ json_texts('value') }} as value
    from conditions
    where operator in ('in', 'not_in')
    union all
    select
        condition_id,
        value
    from conditions
    where operator in ('=', '!=')
),

traits as (
    select * from {{ ref('int_accounts__traits') }}
    where attribute in (select attribute from conditions)
),

failed as (
    select
        accounts.account_id,
        conditions.condition_id
    from accounts
    cross join conditions
    left join traits
        on
            accounts.account_id = traits.account_id
            and conditions.attribute = traits.attribute
    left join listed_values
        on
            conditions.condition_id = listed_values.condition_id
            and traits.value = listed_values.value
    where not case conditions.operator
        when '=' then listed_values.value is not null
        when 'in' then listed_values.value is not null
        when '!=' then listed_values.value is null
        when 'not_in' then listed_values.value is null
        when 'is_missing' then traits.account_id is null
        when 'is_not_missing' then traits.account_id is not null
        -- What is missing is below every threshold.
        when '>=' then coalesce(traits.number >= try_cast(conditions.value as double), false)
        when '<' then coalesce(traits.number < try_cast(conditions.value as double), true)
    end
),

ruled_out as (
    select distinct
        failed.account_id,
        segment_conditions.segment_id
    from failed
    inner join segment_conditions on failed.condition_id = segment_conditions.condition_id
)

select
    accounts.account_id,
    segments.segment_id,
    segments.tier
from accounts
cross join {{ ref('learned_segments') }} as segments
anti join ruled_out
    on
        accounts.account_id = ruled_out.account_id
        and segments.segment_id = ruled_out.segment_id
