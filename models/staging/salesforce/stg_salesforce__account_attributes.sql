{%- set fields = var('salesforce_account_attributes') -%}
{% for field in fields -%}
select
    id as account_id,
    '{{ field | lower | replace("__c", "") }}' as attribute,
    cast({{ quoted(field) }} as varchar) as value,
    cast(null as timestamp) as known_from
from {{ source('salesforce', 'account') }}
where not is_deleted and nullif(cast({{ quoted(field) }} as varchar), '') is not null
{{ 'union all' if not loop.last }}
{% else -%}
select
    cast(null as varchar) as account_id,
    cast(null as varchar) as attribute,
    cast(null as varchar) as value,
    cast(null as timestamp) as known_from
where false
{%- endfor %}
