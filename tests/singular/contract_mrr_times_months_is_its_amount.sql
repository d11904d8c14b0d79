-- Up to the rounding of MRR to four decimals, in the order's own currency where the rate is another contract's.
select
    order_line_id,
    mrr,
    coalesce(contract_months, billing_months) as months,
    amount_in_currency,
    mrr_exchange_rate
from {{ ref('fct_contracts') }}
where
    abs(cast(mrr as double) * coalesce(contract_months, billing_months) - cast(amount_in_currency as double) * cast(mrr_exchange_rate as double))
    > 0.0001 * (coalesce(contract_months, billing_months) + 1)
