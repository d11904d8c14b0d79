{#-
    The input contract: entity -> column -> type. Types: id, text, label (text in which a placeholder is a missing value), currency, date,
    timestamp, amount, number, rate, integer, boolean, or the list of values allowed. After it, `!` marks a required column, and `~` one on which
    neither identity nor money nor the date of the fact depends: a value there that breaks a rule costs the value, not the row.
-#}
{% macro contract() %}
    {%- set entities -%}
accounts:
    {account_id: id!, account_name: label, domain: label, parent_account_id: id, merged_into_account_id: id, industry: label,
     employee_count: integer~, annual_revenue: number~, country: label, region: label, created_at: timestamp~}
account_external_ids:
    {account_id: id!, system: text!, external_id: id!}
account_attributes:
    {account_id: id!, attribute: label!, value: label!, known_from: timestamp}
contacts:
    {contact_id: id!, account_id: id, email: label, job_title: label, lead_source: label, created_at: timestamp~,
     became_lead_at: timestamp~, became_mql_at: timestamp~, became_sql_at: timestamp~}
opportunities:
    {opportunity_id: id!, account_id: id!, opportunity_name: text, opportunity_type: [new_business, expansion, renewal, "~"],
     stage: text, is_closed: boolean!, is_won: boolean!, amount: amount, currency_code: currency, lead_source: text,
     created_at: timestamp!, closed_at: timestamp}
opportunity_stages:
    {opportunity_id: id!, stage: text!, stage_order: integer~, entered_at: timestamp!}
orders:
    {order_id: id!, account_id: id!, opportunity_id: id, order_status: [closed_won, open, lost, cancelled, "!"],
     closed_at: timestamp!, currency_code: currency, amount: amount, starts_on: date, ends_on: date, term_months: integer,
     terminated_on: date, replaces_order_id: id}
order_lines:
    {order_line_id: id!, order_id: id, opportunity_id: id, product_id: id, quantity: number~, amount: amount!, cost: amount~,
     line_type: [recurring, one_time], billing_months: integer, term_months: integer, starts_on: date, ends_on: date}
products:
    {product_id: id!, product_name: label, product_family: label, product_type: [core, add_on, service, "~"]}
engagements:
    {engagement_id: id!, account_id: id, contact_id: id, campaign_id: id, engagement_type: text!, topic: text,
     occurred_at: timestamp!}
campaigns:
    {campaign_id: id!, campaign_name: text, channel: text, started_on: date~, ended_on: date~}
campaign_members:
    {campaign_id: id!, account_id: id, contact_id: id, added_at: timestamp!, responded: boolean~}
campaign_spend:
    {campaign_id: id!, spent_on: date!, amount: amount!, currency_code: currency}
exchange_rates:
    {currency_code: currency!, valid_from: timestamp!, rate: rate!}
    {%- endset -%}
    {{ return(fromyaml(entities)) }}
{% endmacro %}


{#- The columns of one entity, in order: name, type, whether it is required or droppable. -#}
{% macro contract_columns(entity) %}
    {%- set columns = [] -%}
    {%- for name, declared in contract()[entity].items() -%}
        {%- do columns.append({
            'name': name,
            'type': declared.rstrip('!~') if declared is string else 'choice',
            'required': '!' in declared,
            'droppable': '~' in declared,
        }) -%}
    {%- endfor -%}
    {{ return(columns) }}
{% endmacro %}


{#- The values that a column may have. -#}
{% macro contract_values(entity, column) %}
    {{ return(contract()[entity][column] | reject('in', ['!', '~']) | list) }}
{% endmacro %}
