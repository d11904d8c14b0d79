with

campaigns as (
    select campaign_id from {{ ref('input_campaigns') }}
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
                when (select count(*) from campaigns) > 0 and campaigns.campaign_id is null
                    then {{ fault('unknown_campaign', 'campaign_id') }}
                when
                    rows_read.currency_code <> '{{ var("reporting_currency") }}'
                    and (currencies.currency_code is null or currencies.first_valid_from > rows_read.spent_on)
                    then {{ fault('unknown_currency', 'currency_code') }}
                when {{ is_too_much('rows_read.amount', 'rows_read.currency_code') }} then {{ fault('not_allowed_value', 'amount') }}
            end
        ) as reject_fault
    from ({{ check_rows('campaign_spend') }}) as rows_read
    left join campaigns on rows_read.campaign_id = campaigns.campaign_id
    left join currencies on rows_read.currency_code = currencies.currency_code
)

{{ checked_rows('campaign_spend', id='campaign_id') }}
