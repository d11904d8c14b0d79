{%- set tools = landed_tools() -%}
with

{% if tools | length == 2 -%}
records as (
    select
        'accounts' as entity,
        'hubspot' as connector,
        outcome
    from {{ ref('joined_accounts') }}
    union all
    select
        'contacts' as entity,
        'hubspot' as connector,
        outcome
    from {{ ref('joined_contacts') }}
    {%- for entity in ['opportunities', 'orders'] %}
    {%- for tool in tools %}
    union all
    select
        '{{ entity }}' as entity,
        '{{ tool }}' as connector,
        '{{ 'counted' if tool in owners(entity) else 'owned_by_another' }}' as outcome
    from {{ ref('stg_' ~ tool ~ '__' ~ entity) }}
    {%- endfor %}
    {%- endfor %}
)
{%- else -%}
records as (
    select
        cast(null as string) as entity,
        cast(null as string) as connector,
        cast(null as string) as outcome
    where false
)
{%- endif %}

select
    entity,
    connector,
    outcome,
    case outcome
        when 'joined' then 'the other tool has the same account, or the same e-mail in the same account'
        when 'unknown_salesforce_account' then 'salesforceaccountid names an account that Salesforce does not have'
        when 'no_salesforce_account' then 'salesforceaccountid is empty'
        when 'account_not_joined' then 'the account of the contact is in one tool only'
        when 'no_email' then 'the contact has no e-mail'
        when 'unknown_email' then 'the e-mail is not in the account of the other tool'
        when 'counted' then 'owner_of names the tool'
        when 'owned_by_another' then 'owner_of names the other tool'
    end as reason,
    cast(count(*) as integer) as record_count
from records
group by entity, connector, outcome
