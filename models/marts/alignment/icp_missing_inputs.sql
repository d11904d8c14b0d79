with

inputs as (
    {% for input, stage in [
        ('contacts.became_lead_at', 'lead'),
        ('contacts.became_mql_at', 'mql'),
        ('contacts.became_sql_at', 'sql'),
        ('opportunities', 'opportunity'),
    ] -%}
    select
        '{{ input }}' as input,
        count(*) as record_count
    from {{ ref('int_stage_entries') }}
    where stage = '{{ stage }}'
    union all
    {% endfor -%}
    select
        'campaign_members' as input,
        count(*) as record_count
    from {{ ref('input_campaign_members') }}
    union all
    select
        'campaign_spend' as input,
        count(*) as record_count
    from {{ ref('int_accounts__campaign_spend') }}
    union all
    select
        'account_external_ids of hubspot' as input,
        count(*) as record_count
    from {{ ref('input_account_external_ids') }}
    where lower(system) = 'hubspot'
),

consequences as (
    select
        '' as input,
        '' as mart,
        '' as consequence
    where false
    {% for input, mart, consequence in [
        ('contacts.became_lead_at', 'icp_funnel', 'the stage has no rows'),
        ('contacts.became_lead_at', 'icp_alignment', 'the share of leads is null'),
        ('contacts.became_mql_at', 'icp_funnel', 'the stage has no rows'),
        ('contacts.became_mql_at', 'icp_alignment', 'the share of MQLs is null'),
        ('contacts.became_sql_at', 'icp_funnel', 'the stage has no rows'),
        ('contacts.became_sql_at', 'icp_alignment', 'the share of SQLs and the qualification accuracy are null'),
        ('opportunities', 'icp_funnel', 'the stage has no rows'),
        ('opportunities', 'icp_alignment', 'the share of opportunities is null'),
        ('opportunities', 'icp_agreement', 'what Sales works is unknown, and only marketing_icp has rows'),
        ('opportunities', 'icp_disagreements', 'what Sales works is unknown, and there are no rows'),
        ('opportunities', 'icp_spend', 'the cost per opportunity is null'),
        ('opportunities', 'icp_cycle_review', 'a pursuit is a first order, always won, and only its value can be judged'),
        ('campaign_members', 'icp_agreement', 'whom Marketing targets is unknown, and only sales_icp has rows'),
        ('campaign_members', 'icp_disagreements', 'whom Marketing targets is unknown, and there are no rows'),
        ('campaign_members', 'icp_spend', 'all spend is unallocated'),
        ('campaign_members', 'icp_spend_saving', 'nothing is known of what could be saved'),
        ('campaign_spend', 'icp_alignment', 'the share of spend is null'),
        ('campaign_spend', 'icp_disagreements', 'nothing is known to cost money'),
        ('campaign_spend', 'icp_spend', 'there are no rows'),
        ('campaign_spend', 'icp_spend_saving', 'there are no rows'),
        ('account_external_ids of hubspot', 'sync_hubspot_companies', 'there are no rows, and nothing can be written to HubSpot'),
    ] -%}
    union all
    select
        '{{ input }}' as input,
        '{{ mart }}' as mart,
        '{{ consequence }}' as consequence
    {% endfor -%}
)

select
    consequences.mart,
    inputs.input,
    concat('The input has no ', inputs.input, ': ', consequences.consequence, '.') as reason
from inputs
inner join consequences on inputs.input = consequences.input
where inputs.record_count = 0
