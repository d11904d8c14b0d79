with

accounts as (
    select account_id from {{ ref('input_accounts') }}
),

orders_read as (
    select order_id from {{ ref('input_orders__read') }}
),

rejected_lines as (
    select * from {{ ref('input_order_lines__rejected') }}
),

currencies as (
    select
        currency_code,
        min(valid_from) as first_valid_from,
        max(rate) as highest_rate
    from {{ ref('input_exchange_rates') }}
    group by currency_code
),

checked as (
    select
        rows_read.*,
        coalesce(
            rows_read.row_fault,
            case
                when accounts.account_id is null then {{ fault('unknown_account', 'account_id') }}
                when rows_read.is_won and not rows_read.is_closed then {{ fault('won_not_closed', 'is_closed') }}
                when
                    rows_read.currency_code <> '{{ var("reporting_currency") }}'
                    and (
                        currencies.currency_code is null
                        or currencies.first_valid_from
                        > case
                            when rows_read.is_closed then coalesce(rows_read.closed_at, rows_read.created_at)
                            else rows_read.created_at
                        end
                    )
                    then {{ fault('unknown_currency', 'currency_code') }}
                when {{ is_too_much('rows_read.amount', 'rows_read.currency_code') }} then {{ fault('not_allowed_value', 'amount') }}
                -- Without orders, a won opportunity is one: it has a date, and no line that was rejected.
                when not rows_read.is_won or (select count(*) > 0 from orders_read) then null
                when rows_read.closed_at is null then {{ fault('missing_value', 'closed_at') }}
                when rejected_lines.sale_id is not null
                    then {{ fault('rejected_line', 'order_line_id', 'rejected_lines.order_line_id') }}
            end
        ) as reject_fault
    from ({{ check_rows('opportunities', key='opportunity_id') }}) as rows_read
    left join accounts on rows_read.account_id = accounts.account_id
    left join currencies on rows_read.currency_code = currencies.currency_code
    left join rejected_lines on rows_read.opportunity_id = rejected_lines.sale_id
)

{{ checked_rows('opportunities', id='opportunity_id') }}
