{{ config(materialized='view') }}

with

-- Of several values of one attribute, the latest that was known by then.
attributes as (
    select
        accounts.account_id,
        {{ lower_case('attributes.attribute') }} as attribute,
        attributes.value,
        row_number() over (
            partition by accounts.account_id, {{ lower_case('attributes.attribute') }}
            order by attributes.known_from desc nulls last, attributes.value asc
        ) as recency
    from {{ ref('input_account_attributes') }} as attributes
    inner join {{ ref('int_accounts__in_scope') }} as resolved on attributes.account_id = resolved.account_id
    inner join {{ ref('int_accounts__known_at') }} as accounts on resolved.resolved_account_id = accounts.account_id
    left join {{ ref('excluded_attributes') }} as excluded on {{ is_like(lower_case('attributes.attribute'), 'excluded.pattern') }}
    where
        coalesce(attributes.known_from <= accounts.known_at, true)
        and excluded.pattern is null
),

latest_attributes as (
    select * from attributes
    where recency = 1
),

-- A year or a count arrives as text: an attribute with nothing but numbers is one.
number_attributes as (
    select attribute
    from latest_attributes
    group by attribute
    having count(*) = count({{ number_of_text('value', 'decimal(28, 6)') }})
)

-- One that is named like a trait from elsewhere is kept apart from it.
select
    latest_attributes.account_id,
    case
        when
            latest_attributes.attribute in ('industry', 'country', 'region', 'lead_source')
            or latest_attributes.attribute in ('employee_count', 'annual_revenue', 'size_band', 'revenue_band')
            or left(latest_attributes.attribute, 8) = 'contact_'
            or left(latest_attributes.attribute, 11) = 'engagement_'
            or left(latest_attributes.attribute, 6) = 'topic_'
            then concat('further_', latest_attributes.attribute)
        else latest_attributes.attribute
    end as attribute,
    case when number_attributes.attribute is null then latest_attributes.value end as value,
    case when number_attributes.attribute is not null then cast(latest_attributes.value as double) end as number
from latest_attributes
left join number_attributes on latest_attributes.attribute = number_attributes.attribute
