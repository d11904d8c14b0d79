{{ config(materialized='table') }}

with

rejected as (
    {% for entity in contract() -%}
    select
        '{{ entity }}' as entity,
        row_id,
        reject_rule as rule,
        raw_row
    from {{ ref('input_' ~ entity ~ '__checked') }}
    where reject_rule is not null
    union all
    {% endfor -%}
    select
        entity,
        cast(line_number as varchar) as row_id,
        'malformed_line' as rule,
        line_text as raw_row
    from {{ ref('input_malformed_lines') }}
),

lines_of_rejected_orders as (
    select
        'order_lines' as entity,
        order_line_id as row_id,
        'order_rejected' as rule,
        cast(to_json(lines) as varchar) as raw_row
    from (
        select {{ contract_column_names('order_lines') }}
        from {{ ref('input_order_lines__checked') }}
        where
            reject_rule is null
            and order_id not in (select order_id from {{ ref('input_orders') }})
    ) as lines
)

select * from rejected
union all
select * from lines_of_rejected_orders
