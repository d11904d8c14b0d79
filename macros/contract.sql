{#-
    The input contract: entity -> column -> type. A `!` marks a required column.
    Types: id, text, currency, date, timestamp, amount, number, rate, integer, boolean, or the list of values allowed.
-#}
{% macro contract() %}
    {%- set entities -%}
accounts:
    {account_id: id!, account_name: text, domain: text, parent_account_id: id, merged_into_account_id: id, industry: text,
     employee_count: integer, annual_revenue: number, country: text, region: text, created_at: timestamp}
account_external_ids:
    {account_id: id!, system: text!, external_id: id!}
account_attributes:
    {account_id: id!, attribute: text!, value: text!, known_from: timestamp}
contacts:
    {contact_id: id!, account_id: id, email: text, job_title: text, lead_source: text, created_at: timestamp,
     became_lead_at: timestamp, became_mql_at: timestamp, became_sql_at: timestamp}
opportunities:
    {opportunity_id: id!, account_id: id!, opportunity_name: text, opportunity_type: [new_business, expansion, renewal],
     stage: text, is_closed: boolean!, is_won: boolean!, amount: amount, currency_code: currency, lead_source: text,
     created_at: timestamp!, closed_at: timestamp}
opportunity_stages:
    {opportunity_id: id!, stage: text!, stage_order: integer, entered_at: timestamp!}
orders:
    {order_id: id!, account_id: id!, opportunity_id: id, order_status: [closed_won, open, lost, cancelled, "!"],
     closed_at: timestamp!, currency_code: currency, amount: amount, starts_on: date, ends_on: date, term_months: integer,
     terminated_on: date, replaces_order_id: id}
order_lines:
    {order_line_id: id!, order_id: id!, product_id: id, quantity: number, amount: amount!, cost: amount,
     line_type: [recurring, one_time], starts_on: date, ends_on: date}
products:
    {product_id: id!, product_name: text, product_family: text, product_type: [core, add_on, service]}
engagements:
    {engagement_id: id!, account_id: id, contact_id: id, campaign_id: id, engagement_type: text!, topic: text,
     occurred_at: timestamp!}
campaigns:
    {campaign_id: id!, campaign_name: text, channel: text, started_on: date, ended_on: date}
campaign_members:
    {campaign_id: id!, account_id: id, contact_id: id, added_at: timestamp!, responded: boolean}
campaign_spend:
    {campaign_id: id!, spent_on: date!, amount: amount!, currency_code: currency}
exchange_rates:
    {currency_code: currency!, valid_from: timestamp!, rate: rate!}
    {%- endset -%}
    {{ return(fromyaml(entities)) }}
{% endmacro %}


{#- The columns of one entity, in order: name, type, required, and the values allowed (or none). -#}
{% macro contract_columns(entity) %}
    {%- set columns = [] -%}
    {%- for name, declared in contract()[entity].items() -%}
        {%- if declared is string -%}
            {%- do columns.append({
                'name': name, 'type': declared | replace('!', ''), 'required': declared.endswith('!'), 'values': none
            }) -%}
        {%- else -%}
            {%- do columns.append({
                'name': name, 'type': 'enumeration', 'required': '!' in declared,
                'values': declared | reject('equalto', '!') | list
            }) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(columns) }}
{% endmacro %}
