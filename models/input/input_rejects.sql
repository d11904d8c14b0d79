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

accepted_lines_of_rejected_orders as (
    select distinct lines.order_line_id
    from {{ ref('input_order_lines__checked') }} as lines
    anti join {{ ref('input_orders') }} as accepted on lines.order_id = accepted.order_id
    where lines.reject_rule is null
),

lines_of_rejected_orders as (
    select distinct
        'order_lines' as entity,
        lines.order_line_id as row_id,
        'order_rejected' as rule,
        {{ raw_text('lines.raw') }} as raw_row
    from {{ ref('input_order_lines__read') }} as lines
    semi join accepted_lines_of_rejected_orders as rejected on lines.order_line_id = rejected.order_line_id
)

select * from rejected
union all
select * from lines_of_rejected_orders
