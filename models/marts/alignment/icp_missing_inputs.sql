with

records as (
    select
        case stage
            when 'lead' then 'contacts.became_lead_at'
            when 'mql' then 'contacts.became_mql_at'
            when 'sql' then 'contacts.became_sql_at'
            when 'opportunity' then 'opportunities'
        end as input
    from {{ ref('int_stage_entries') }}
    union all
    select 'campaign_members' as input
    from {{ ref('input_campaign_members') }}
    union all
    select 'campaign_spend' as input
    from {{ ref('int_accounts__campaign_spend') }}
    union all
    select 'account_external_ids of hubspot' as input
    from {{ ref('input_account_external_ids') }}
    where lower(system) = 'hubspot'
)

select
    missing.mart,
    missing.input,
    concat('The input has no ', missing.input, ': ', missing.consequence, '.') as reason
from {{ ref('missing_inputs') }} as missing
anti join records on missing.input = records.input
where missing.mart is not null
