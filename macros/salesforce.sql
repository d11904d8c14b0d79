{#- What is read of Salesforce, by object (see landed_objects): its fields under their API names. -#}
{% macro salesforce_objects() %}
    {%- set objects -%}
account:
    tables: {fivetran: account, airbyte: account, dlt: account}
    ids: [id!, parentid, masterrecordid]
    columns: [name, website, industry, billingcountry]
    times: [createddate]
    numbers: [numberofemployees, annualrevenue]
contact:
    tables: {fivetran: contact, airbyte: contact, dlt: contact}
    ids: [id, accountid]
    columns: [email, title, leadsource]
    times: [createddate]
lead:
    tables: {fivetran: lead, airbyte: lead, dlt: lead}
    ids: [id, convertedcontactid]
    columns: [email, title, leadsource]
    times: [createddate]
    dates: [converteddate]
    flags: [isconverted]
opportunity:
    tables: {fivetran: opportunity, airbyte: opportunity, dlt: opportunity}
    ids: [id!, accountid!]
    columns: [name, type, stagename!, currencyisocode, leadsource]
    times: [createddate!]
    numbers: [amount]
    dates: [closedate!]
    flags: [isclosed!, iswon!]
opportunityhistory:
    tables: {fivetran: opportunity_history, airbyte: opportunityhistory}
    ids: [id, opportunityid]
    columns: [stagename]
    times: [createddate]
opportunityfieldhistory:
    tables: {fivetran: opportunity_field_history, airbyte: opportunityfieldhistory}
    ids: [id, opportunityid]
    columns: [field, oldvalue, newvalue]
    times: [createddate]
opportunitystage:
    tables: {fivetran: opportunity_stage, airbyte: opportunitystage}
    ids: [id]
    columns: [apiname, masterlabel]
    numbers: [sortorder]
opportunitylineitem:
    tables: {fivetran: opportunity_line_item, airbyte: opportunitylineitem, dlt: opportunity_line_item}
    ids: [id, opportunityid, product2id]
    columns: [sbqq__chargetype__c, sbqq__billingfrequency__c]
    only: {none: [sbqq__chargetype__c, sbqq__billingfrequency__c]}
    numbers: [quantity, totalprice]
    dates: [servicedate]
order:
    tables: {fivetran: order, airbyte: order}
    ids: [id, accountid, opportunityid, contractid]
    columns: [status, statuscode, currencyisocode]
    times: [activateddate]
    numbers: [totalamount]
    dates: [effectivedate, enddate]
    flags: [isreductionorder]
orderitem:
    tables: {fivetran: order_item, airbyte: orderitem}
    ids: [id, orderid, product2id]
    columns: [sbqq__chargetype__c, sbqq__billingfrequency__c]
    only: {none: [sbqq__chargetype__c, sbqq__billingfrequency__c]}
    numbers: [quantity, totalprice]
    dates: [servicedate, enddate]
contract:
    tables: {fivetran: contract, airbyte: contract}
    ids: [id]
    numbers: [contractterm]
    dates: [enddate]
product2:
    tables: {fivetran: product_2, airbyte: product2, dlt: product_2}
    ids: [id]
    columns: [name, family, sbqq__chargetype__c, sbqq__billingfrequency__c]
    only: {none: [sbqq__chargetype__c, sbqq__billingfrequency__c]}
event:
    tables: {fivetran: event, airbyte: event, dlt: event}
    ids: [id, accountid, whoid]
    columns: [subject]
    times: [startdatetime, activitydatetime]
    flags: [ischild]
task:
    tables: {fivetran: task, airbyte: task, dlt: task}
    ids: [id, accountid, whoid]
    columns: [subject, tasksubtype]
    times: [completeddatetime]
    dates: [activitydate]
    flags: [isclosed]
campaign:
    tables: {fivetran: campaign, airbyte: campaign, dlt: campaign}
    ids: [id]
    columns: [name, type, currencyisocode]
    numbers: [actualcost]
    dates: [startdate, enddate]
campaignmember:
    tables: {fivetran: campaign_member, airbyte: campaignmember, dlt: campaign_member}
    ids: [id, campaignid, contactid, leadid]
    times: [createddate]
    flags: [hasresponded]
datedconversionrate:
    tables: {fivetran: dated_conversion_rate, airbyte: datedconversionrate}
    ids: [id]
    columns: [isocode]
    numbers: [conversionrate]
    dates: [startdate]
currencytype:
    tables: {fivetran: currency_type, airbyte: currencytype}
    ids: [id]
    columns: [isocode]
    numbers: [conversionrate]
    {%- endset -%}
    {%- set read = fromyaml(objects) -%}
    {%- for spec in read.values() -%} {%- do spec.update(newest_by=['systemmodstamp', 'lastmodifieddate']) -%} {%- endfor -%}
    {{ return(read) }}
{% endmacro %}


{#- The columns of the contract that may come from fields of one's own, by `salesforce_fields`. -#}
{% macro salesforce_own_fields() %}
    {%- set fields -%}
accounts: {object: [account], columns: [account_name, domain, industry, employee_count, annual_revenue, country, region]}
contacts: {object: [contact, lead], columns: [job_title, lead_source, became_mql_at]}
opportunities: {object: [opportunity], columns: [opportunity_type, amount, lead_source]}
orders: {object: [order, opportunity], columns: [starts_on, ends_on, term_months, terminated_on, replaces_order_id]}
order_lines: {object: [orderitem, opportunitylineitem], columns: [cost, line_type, billing_months, term_months, starts_on, ends_on]}
products: {object: [product2], columns: [product_family, product_type]}
    {%- endset -%}
    {{ return(fromyaml(fields)) }}
{% endmacro %}


{#- Whether orders are Salesforce's Orders: one at least is beyond a draft. Else they are the won opportunities. -#}
{% macro salesforce_has_orders() -%}
    exists (
        select 1
        from {{ source('salesforce', 'order') }}
        where not is_deleted and lower(coalesce(statuscode, status)) <> 'draft'
    )
{%- endmacro %}


{#- An amount of an order; one of a reduction order is taken back, whatever the sign it is kept with. -#}
{% macro taken_back(amount) -%}
    case when orders.isreductionorder then -abs({{ amount }}) else {{ amount }} end
{%- endmacro %}


{#- The entities of the contract that Salesforce lacks: none. -#}
{% macro salesforce_lacks() %}
    {{ return([]) }}
{% endmacro %}
