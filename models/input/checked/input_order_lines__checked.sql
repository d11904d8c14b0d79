with

orders as (
    select
        order_id as sale_id,
        max(currency_code) as currency_code,
        max(coalesce(starts_on, cast(closed_at as date))) as starts_on,
        max(ends_on) as ends_on
    from {{ ref('input_orders__read') }}
    group by order_id
),

-- Without orders, each won opportunity is one.
opportunities as (
    select
        opportunity_id as sale_id,
        max(currency_code) as currency_code,
        max(cast(closed_at as date)) as starts_on,
        cast(null as date) as ends_on
    from {{ ref('input_opportunities__read') }}
    where (select count(*) = 0 from orders)
    group by opportunity_id
),

sales as (
    select * from orders
    union all
    select * from opportunities
),

currencies as (
    select
        currency_code,
        max(rate) as highest_rate
    from {{ ref('input_exchange_rates') }}
    group by currency_code
),

rows_read as (
    select
        *,
        case
            when (select count(*) > 0 from orders) then order_id
            else coalesce(opportunity_id, order_id)
        end as sale_id
    from ({{ check_rows('order_lines', key='order_line_id') }})
),

checked as (
    select
        rows_read.*,
        coalesce(
            rows_read.row_fault,
            case
                when rows_read.sale_id is null then {{ fault('missing_value', 'order_id') }}
                when sales.sale_id is null and rows_read.sale_id = rows_read.order_id then {{ fault('unknown_order', 'order_id') }}
                when sales.sale_id is null then {{ fault('unknown_order', 'opportunity_id') }}
                when {{ is_too_much('rows_read.amount', 'sales.currency_code') }} then {{ fault('not_allowed_value', 'amount') }}
                when {{ is_too_much('rows_read.cost', 'sales.currency_code') }} then {{ fault('not_allowed_value', 'cost') }}
                when rows_read.term_months not between 1 and 1200 then {{ fault('not_allowed_value', 'term_months') }}
                when rows_read.billing_months not between 1 and 1200 then {{ fault('not_allowed_value', 'billing_months') }}
                when rows_read.ends_on < rows_read.starts_on then {{ fault('ends_before_start', 'ends_on') }}
                when
                    coalesce(rows_read.ends_on, sales.ends_on) < coalesce(rows_read.starts_on, sales.starts_on)
                    and coalesce(rows_read.starts_on, rows_read.ends_on) is not null
                    and rows_read.line_type is distinct from 'one_time'
                    and rows_read.amount >= 0
                    then case
                        when rows_read.ends_on is null then {{ fault('ends_before_start', 'starts_on') }}
                        else {{ fault('ends_before_start', 'ends_on') }}
                    end
                when
                    {{ differs_from_term('coalesce(rows_read.starts_on, sales.starts_on)', 'rows_read.ends_on', 'rows_read.term_months') }}
                    then {{ fault('term_mismatch', 'term_months') }}
            end
        ) as reject_fault
    from rows_read
    left join sales on rows_read.sale_id = sales.sale_id
    left join currencies on sales.currency_code = currencies.currency_code
)

{{ checked_rows('order_lines', id='order_line_id', also='sale_id') }}
