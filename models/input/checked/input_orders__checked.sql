with

accounts as (
    select account_id from {{ ref('input_accounts') }}
),

currencies as (
    select
        currency_code,
        min(valid_from) as first_valid_from
    from {{ ref('input_exchange_rates') }}
    group by currency_code
),

orders_with_rejected_lines as (
    select distinct order_id
    from {{ ref('input_order_lines__checked') }}
    where reject_rule <> 'exact_duplicate'
    union
    -- A line that could not be read as a row still names its order.
    select {{ json_text('line_text', 'order_id') }} as order_id
    from {{ ref('input_malformed_lines') }}
    where entity = 'order_lines' and json_valid(line_text)
    union
    select unnest(string_split(line_text, ',')) as order_id
    from {{ ref('input_malformed_lines') }}
    where entity = 'order_lines' and not json_valid(line_text)
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
            rows_read.row_rule,
            case
                when accounts.account_id is null then 'unknown_account'
                when rows_read.term_months not between 1 and 1200 then 'not_allowed_value'
                when
                    rows_read.currency_code <> '{{ var("reporting_currency") }}'
                    and (currencies.currency_code is null or currencies.first_valid_from > rows_read.closed_at)
                    then 'unknown_currency'
                when rows_read.ends_on < rows_read.first_day then 'ends_before_start'
                when
                    abs({{ contract_months('rows_read.first_day', 'rows_read.ends_on') }} - rows_read.term_months) > 1
                    then 'term_mismatch'
                when orders_with_rejected_lines.order_id is not null then 'rejected_line'
            end
        ) as reject_rule
    from rows_read
    left join accounts on rows_read.account_id = accounts.account_id
    left join currencies on rows_read.currency_code = currencies.currency_code
    left join orders_with_rejected_lines on rows_read.order_id = orders_with_rejected_lines.order_id
)

{{ checked_rows('orders', id='order_id') }}
