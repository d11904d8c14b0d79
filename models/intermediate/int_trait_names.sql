with

excluded as (
    select pattern from {{ ref('excluded_attributes') }}
),

further_attributes as (
    select distinct {{ lower_case('attributes.attribute') }} as attribute
    from {{ ref('input_account_attributes') }} as attributes
    left join excluded on {{ is_like(lower_case('attributes.attribute'), 'excluded.pattern') }}
    where excluded.pattern is null
),

names as (
    select distinct
        attribute,
        number is not null as is_numeric
    from {{ ref('int_accounts__traits') }}
    {% for attribute in ['industry', 'country', 'region', 'lead_source', 'size_band', 'revenue_band'] -%}
    union all
    select
        '{{ attribute }}' as attribute,
        false as is_numeric
    {% endfor -%}
    {% for attribute in ['employee_count', 'annual_revenue'] -%}
    union all
    select
        '{{ attribute }}' as attribute,
        true as is_numeric
    {% endfor -%}
    union all
    select
        concat('contact_', role_kind, '_', replace(role, ' ', '_')) as attribute,
        false as is_numeric
    from {{ ref('job_title_roles') }}
    union all
    select
        concat('engagement_', engagement_type) as attribute,
        true as is_numeric
    from {{ ref('input_engagements') }}
    where engagement_type is not null
    union all
    select
        concat('topic_', topic) as attribute,
        true as is_numeric
    from {{ ref('input_engagements') }}
    where topic is not null
    union all
    select
        attribute,
        false as is_numeric
    from further_attributes
)

select
    attribute,
    max(case when is_numeric then 1 else 0 end) = 1 as is_numeric
from names
group by attribute
