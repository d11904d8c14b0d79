-- Up to the rounding of MRR to four decimals, in the order's own currency where the rate is another contract's.
select
    order_line_id,
    mrr,
    contract_months,
    amount_in_currency,
    mrr_exchange_rate
from {{ ref('fct_contracts') }}
where
    abs(cast(mrr as double) * contract_months - cast(amount_in_currency as double) * cast(mrr_exchange_rate as double))
    > 0.0001 * (contract_months + 1)
