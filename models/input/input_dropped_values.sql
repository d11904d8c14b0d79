{{ config(materialized='table') }}

with

unreadable as (
    {%- for entity in contract() if contract_columns(entity) | selectattr('droppable') | list %}
    select
        '{{ entity }}' as entity,
        row_id,
        unnest(dropped_values) as dropped
    from {{ ref('input_' ~ entity ~ '__checked') }}
    where
        reject_rule is null
        {%- if entity == 'order_lines' %}
        and row_id in (select order_line_id from {{ ref('input_order_lines') }})
        {%- endif %}
    {{ 'union all' if not loop.last }}
    {%- endfor %}
)

select
    entity,
    row_id,
    dropped.column_name,
    dropped.column_value,
    dropped.rule
from unreadable
where dropped is not null
union all
select
    'accounts' as entity,
    accounts.account_id as row_id,
    'merged_into_account_id' as column_name,
    accounts.merged_into_account_id as column_value,
    'unknown_account' as rule
from {{ ref('input_accounts__checked') }} as accounts
anti join {{ ref('input_accounts') }} as survivors on accounts.merged_into_account_id = survivors.account_id
where
    accounts.reject_rule is null
    and accounts.merged_into_account_id is not null
