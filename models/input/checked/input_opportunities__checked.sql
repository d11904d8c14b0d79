with

accounts as (
    select account_id from {{ ref('input_accounts') }}
),

orders_read as (
    select order_id from {{ ref('input_orders__checked') }}
),

currencies as (
    select
        currency_code,
        min(valid_from) as first_valid_from
    from {{ ref('input_exchange_rates') }}
    group by currency_code
),

checked as (
    select
        rows_read.*,
        coalesce(
            rows_read.row_rule,
            case
                when accounts.account_id is null then 'unknown_account'
                when rows_read.is_won and not rows_read.is_closed then 'won_not_closed'
                -- Without orders, a won opportunity stands for one, and an order has a date.
                when not exists (select 1 from orders_read) and rows_read.is_won and rows_read.closed_at is null then 'missing_value'
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
                    then 'unknown_currency'
            end
        ) as reject_rule
    from ({{ check_rows('opportunities', key='opportunity_id') }}) as rows_read
    left join accounts on rows_read.account_id = accounts.account_id
    left join currencies on rows_read.currency_code = currencies.currency_code
)

{{ checked_rows('opportunities', id='opportunity_id') }}
