{#- What is read of HubSpot, by object (see landed_objects). -#}
{% macro hubspot_objects() %}
    {%- set objects -%}
company:
    tables: {fivetran: company, airbyte: companies, dlt: companies}
    ids: [id!, hs_parent_company_id, hs_merged_object_ids, salesforceaccountid]
    columns: [name, domain, industry, numberofemployees, annualrevenue, country, createdate]
    only: {none: [salesforceaccountid]}
contact:
    tables: {fivetran: contact, airbyte: contacts, dlt: contacts}
    ids: [id, associatedcompanyid]
    columns: [email, jobtitle, hs_analytics_source, createdate,
        hs_v2_date_entered_lead, hs_v2_date_entered_marketingqualifiedlead, hs_v2_date_entered_salesqualifiedlead,
        hs_lifecyclestage_lead_date, hs_lifecyclestage_marketingqualifiedlead_date, hs_lifecyclestage_salesqualifiedlead_date]
    only: {none: [hs_lifecyclestage_lead_date, hs_lifecyclestage_marketingqualifiedlead_date, hs_lifecyclestage_salesqualifiedlead_date]}
deal:
    tables: {fivetran: deal, airbyte: deals, dlt: deals}
    names: {fivetran: {id: deal_id, pipeline: deal_pipeline_id, dealstage: deal_pipeline_stage_id}}
    ids: [id!, pipeline, dealstage!, hs_primary_associated_company, hs_merged_object_ids]
    columns: [dealname, dealtype, amount, deal_currency_code, amount_in_home_currency, hs_exchange_rate, hs_analytics_source,
        hs_is_closed, hs_is_closed_won, createdate!, closedate!, updatedat, companies, line_items]
    only: {airbyte: [updatedat, companies, line_items], none: [hs_is_closed, hs_is_closed_won]}
deal_archived:
    tables: {airbyte: deals_archived}
    ids: [id]
    columns: [archivedat]
merged_deal:
    tables: {fivetran: merged_deal}
    ids: [deal_id, merged_deal_id]
deal_company:
    tables: {fivetran: deal_company, dlt: companies__deals}
    names: {dlt: {deal_id: deals_id, company_id: value}}
    ids: [deal_id, company_id]
    columns: [type_id, category]
    only: {fivetran: [type_id, category]}
line_item:
    tables: {fivetran: line_item, airbyte: line_items}
    names: {fivetran: {hs_product_id: product_id}}
    ids: [id, hs_product_id, deal_id]
    columns: [quantity, amount, hs_cost_of_goods_sold, recurringbillingfrequency, hs_recurring_billing_period, hs_term_in_months,
        hs_recurring_billing_start_date]
    only: {none: [deal_id]}
line_item_deal:
    tables: {fivetran: line_item_deal}
    ids: [line_item_id, deal_id]
product:
    tables: {fivetran: product, airbyte: products, dlt: products}
    ids: [id]
    columns: [name, hs_product_type]
pipeline:
    tables: {fivetran: deal_pipeline, airbyte: deal_pipelines, dlt: pipelines_deals}
    names: {dlt: {pipeline_id: id}}
    ids: [pipeline_id]
    columns: [label!, stages, _dlt_id]
    only: {airbyte: [stages], dlt: [_dlt_id]}
stage:
    tables: {fivetran: deal_pipeline_stage, dlt: pipelines_deals__stages}
    names: {dlt: {stage_id: id, is_closed: metadata__is_closed, probability: metadata__probability}}
    ids: [stage_id!, pipeline_id]
    columns: [label!, display_order, is_closed, closed_won, probability, _dlt_parent_id]
    only: {fivetran: [pipeline_id], dlt: [_dlt_parent_id], none: [is_closed, closed_won]}
stage_entry:
    tables: {fivetran: deal_stage, airbyte: deals_property_history, dlt: stages_timing_deals}
    names:
        airbyte: {date_entered: timestamp}
        dlt: {deal_id: id, value: stage, date_entered: [hs_v2_date_enteredx, hs_date_enteredx]}
    ids: [deal_id, value]
    times: [date_entered]
    columns: [property]
    only: {airbyte: [property]}
    has_history: true
stage_date:
    tables: {airbyte: deals}
    ids: [id]
    unpivot: hs_v2_date_entered_
meeting:
    tables: {fivetran: engagement_meeting, airbyte: engagements_meetings}
    names: {fivetran: {id: engagement_id}}
    ids: [id]
    columns: [hs_meeting_title, hs_timestamp, companies, contacts]
    only: {airbyte: [companies, contacts]}
email:
    tables: {fivetran: engagement_email, airbyte: engagements_emails}
    names: {fivetran: {id: engagement_id}}
    ids: [id]
    columns: [hs_email_subject, hs_timestamp, companies, contacts]
    only: {airbyte: [companies, contacts]}
call:
    tables: {fivetran: engagement_call, airbyte: engagements_calls}
    names: {fivetran: {id: engagement_id}}
    ids: [id]
    columns: [hs_call_title, hs_timestamp, companies, contacts]
    only: {airbyte: [companies, contacts]}
engagement_company:
    tables: {fivetran: engagement_company}
    ids: [engagement_id, company_id]
engagement_contact:
    tables: {fivetran: engagement_contact}
    ids: [engagement_id, contact_id]
    {%- endset -%}
    {{ return(fromyaml(objects)) }}
{% endmacro %}


{#- The columns of the contract that may come from properties of one's own, by `hubspot_fields`. -#}
{% macro hubspot_own_fields() %}
    {%- set fields -%}
accounts: {object: company, columns: [account_name, domain, industry, employee_count, annual_revenue, country, region]}
contacts: {object: contact, columns: [job_title, lead_source, became_lead_at, became_mql_at, became_sql_at]}
opportunities: {object: deal, columns: [opportunity_type, lead_source]}
orders: {object: deal, columns: [starts_on, ends_on, term_months, terminated_on, replaces_order_id]}
order_lines: {object: line_item, columns: [cost, term_months, starts_on, ends_on]}
products: {object: product, columns: [product_family, product_type]}
    {%- endset -%}
    {{ return(fromyaml(fields)) }}
{% endmacro %}


{% macro hubspot_lacks() %}
    {{ return(['campaigns', 'campaign_members', 'campaign_spend']) }}
{% endmacro %}


{#- The months of one billing period; a week is 12/52 of one. -#}
{% macro hubspot_billing_months(frequency) -%}
    {%- set months = {
        'weekly': '12 / 52', 'biweekly': '12 / 26', 'monthly': 1, 'quarterly': 3, 'per_six_months': 6, 'annually': 12,
        'per_two_years': 24, 'per_three_years': 36, 'per_four_years': 48, 'per_five_years': 60
    } -%}
    case lower({{ read_text(frequency) }}) {% for name, number in months.items() %}when '{{ name }}' then {{ number }} {% endfor %}end
{%- endmacro %}


{#- How many years, months, weeks or days (Y, M, W, D) a period such as P1Y6M has. -#}
{% macro iso_part(period, unit) -%}
    coalesce(try_cast(regexp_extract({{ read_text(period) }}, '^P[0-9YMW]*?([0-9]+){{ unit }}', 1) as integer), 0)
{%- endmacro %}
