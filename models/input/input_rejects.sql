{{ config(materialized='table', post_hook="{{ stop_where_a_file_changed() }}") }}

with

rejected as (
    {% for entity in contract() -%}
    select
        '{{ entity }}' as entity,
        row_id,
        reject_rule as rule,
        reject_column as column_name,
        reject_value as column_value,
        raw_row
    from {{ ref('input_' ~ entity ~ '__checked') }}
    where reject_rule is not null
    union all
    {% endfor -%}
    select
        entity,
        cast(line_number as string) as row_id,
        'malformed_line' as rule,
        cast(null as string) as column_name,
        cast(null as string) as column_value,
        line_text as raw_row
    from {{ ref('input_malformed_lines') }}
),

good_lines_of_rejected_orders as (
    select
        checked.order_line_id,
        checked.sale_id
    from {{ ref('input_order_lines__checked') }} as checked
    anti join {{ ref('input_order_lines') }} as accepted on checked.order_line_id = accepted.order_line_id
    where checked.reject_rule is null
)

select * from rejected
union all
select distinct
    'order_lines' as entity,
    lines.order_line_id as row_id,
    'order_rejected' as rule,
    case when lines.order_id = good_lines.sale_id then 'order_id' else 'opportunity_id' end as column_name,
    good_lines.sale_id as column_value,
    {{ raw_text('lines.raw') }} as raw_row
from {{ ref('input_order_lines__read') }} as lines
inner join good_lines_of_rejected_orders as good_lines on lines.order_line_id = good_lines.order_line_id
