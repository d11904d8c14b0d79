with

accounts as (
    select account_id from {{ ref('input_accounts') }}
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

rows_read as (
    select
        *,
        coalesce(starts_on, cast(closed_at as date)) as first_day
    from ({{ check_rows('orders', key='order_id') }})
),

checked as (
    select
        rows_read.*,
        coalesce(
            rows_read.row_fault,
            case
                when accounts.account_id is null then {{ fault('unknown_account', 'account_id') }}
                when rows_read.term_months not between 1 and 1200 then {{ fault('not_allowed_value', 'term_months') }}
                when
                    rows_read.currency_code <> '{{ var("reporting_currency") }}'
                    and (currencies.currency_code is null or currencies.first_valid_from > rows_read.closed_at)
                    then {{ fault('unknown_currency', 'currency_code') }}
                when {{ is_too_much('rows_read.amount', 'rows_read.currency_code') }} then {{ fault('not_allowed_value', 'amount') }}
                when rows_read.ends_on < rows_read.first_day then {{ fault('ends_before_start', 'ends_on') }}
                when {{ differs_from_term('rows_read.first_day', 'rows_read.ends_on', 'rows_read.term_months') }}
                    then {{ fault('term_mismatch', 'term_months') }}
                when rejected_lines.sale_id is not null
                    then {{ fault('rejected_line', 'order_line_id', 'rejected_lines.order_line_id') }}
            end
        ) as reject_fault
    from rows_read
    left join accounts on rows_read.account_id = accounts.account_id
    left join currencies on rows_read.currency_code = currencies.currency_code
    left join rejected_lines on rows_read.order_id = rejected_lines.sale_id
)

{{ checked_rows('orders', id='order_id') }}
