-- For each campaign and month: allocated + unallocated = recorded by as_of, converted at the latest rate not after the day.
with

spend as (
    select
        *,
        row_number() over (order by campaign_id, spent_on, amount, currency_code) as spend_number
    from {{ ref('input_campaign_spend') }}
),

converted as (
    select
        spend.campaign_id,
        {{ first_of_month('spend.spent_on') }} as spend_month,
        spend.amount * coalesce(cast(max_by(rates.rate, rates.valid_from) as double), 1) as amount
    from spend
    cross join {{ ref('int_as_of') }} as as_of
    left join {{ ref('input_exchange_rates') }} as rates
        on
            spend.currency_code = rates.currency_code
            and spend.spent_on >= rates.valid_from
            and rates.currency_code <> '{{ var("reporting_currency") }}'
    where spend.spent_on < as_of.ends_at
    group by spend.spend_number, spend.campaign_id, spend.spent_on, spend.amount
),

recorded as (
    select
        campaign_id,
        spend_month,
        sum(amount) as amount
    from converted
    group by campaign_id, spend_month
),

allocated as (
    select
        campaign_id,
        spend_month,
        cast(sum(amount) as double) as amount
    from {{ ref('int_accounts__campaign_spend') }}
    group by campaign_id, spend_month
)

select
    coalesce(recorded.campaign_id, allocated.campaign_id) as campaign_id,
    coalesce(recorded.spend_month, allocated.spend_month) as spend_month,
    recorded.amount as recorded,
    allocated.amount as allocated
from recorded
full outer join allocated
    on
        recorded.campaign_id = allocated.campaign_id
        and recorded.spend_month = allocated.spend_month
where coalesce(abs(recorded.amount - allocated.amount), 1) >= 0.005
