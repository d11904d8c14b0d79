{{ config(materialized='table') }}

with

dropped as (
    {% for entity in contract() if contract_columns(entity) | selectattr('droppable') | list -%}
    select
        '{{ entity }}' as entity,
        row_id,
        {{ each_of('dropped_values') }} as value
    from {{ ref('input_' ~ entity ~ '__checked') }}
    where reject_rule is null
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select
    dropped.entity,
    dropped.row_id,
    dropped.value.column_name,
    dropped.value.column_value,
    dropped.value.rule
from dropped
where
    dropped.value is not null
    -- The lines of a rejected order are rejected with it.
    and (dropped.entity <> 'order_lines' or dropped.row_id in (select order_line_id from {{ ref('input_order_lines') }}))
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
