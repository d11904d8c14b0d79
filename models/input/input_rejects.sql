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
        lines.order_line_id as row_id,
        'order_rejected' as rule,
        {{ raw_text('lines.raw') }} as raw_row
    from (
        select distinct
            lines.order_line_id,
            read_again.raw
        from {{ ref('input_order_lines__checked') }} as lines
        anti join {{ ref('input_orders') }} as accepted on lines.order_id = accepted.order_id
        inner join ({{ raw_rows('order_lines') }}) as read_again on lines.order_line_id = cast(read_again.raw.order_line_id as varchar)
        where
            lines.reject_rule is null
            and not read_again.is_malformed
    ) as lines
)

select * from rejected
union all
select * from lines_of_rejected_orders
