with

companies as (
    select * from {{ ref('base_hubspot__companies') }}
)

{% for property in var('hubspot_account_attributes') -%}
select
    id as account_id,
    {{ text_literal(property | lower) }} as attribute,
    cast({{ quoted(property) }} as varchar) as value,
    cast(null as timestamp) as known_from
from companies
where nullif(trim(cast({{ quoted(property) }} as varchar)), '') is not null
{{ 'union all' if not loop.last }}
{%- else -%}
select
    id as account_id,
    cast(null as varchar) as attribute,
    cast(null as varchar) as value,
    cast(null as timestamp) as known_from
from companies
where false
{%- endfor %}
