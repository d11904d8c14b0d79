with

orders as (
    select
        order_id,
        max(coalesce(starts_on, cast(closed_at as date))) as starts_on,
        max(ends_on) as ends_on
    from {{ ref('input_orders__read') }}
    group by order_id
),

checked as (
    select
        rows_read.*,
        coalesce(
            rows_read.row_rule,
            case
                when orders.order_id is null then 'unknown_order'
                when rows_read.ends_on < rows_read.starts_on then 'ends_before_start'
                when
                    coalesce(rows_read.ends_on, orders.ends_on) < coalesce(rows_read.starts_on, orders.starts_on)
                    and coalesce(rows_read.starts_on, rows_read.ends_on) is not null
                    and rows_read.line_type is distinct from 'one_time'
                    and rows_read.amount >= 0
                    then 'ends_before_start'
            end
        ) as reject_rule
    from ({{ check_rows('order_lines', key='order_line_id') }}) as rows_read
    left join orders on rows_read.order_id = orders.order_id
)

{{ checked_rows('order_lines', id='order_line_id') }}
