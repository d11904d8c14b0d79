-- All pursuits together capture all, random order captures its share, and a share lies between 0 and 1. Losses can lift what the best
-- pursuits bring above all that was won, and leave a cut-off where nothing of value was won and so nothing can be skipped.
with

backtest as (
    select * from {{ ref('icp_backtest') }}
),

losses as (
    select count(*) as loss_count
    from {{ ref('int_pursuits') }}
    where value < 0
)

select backtest.*
from backtest
cross join losses
where
    (backtest.measure = 'value_captured' and backtest.share = 1 and abs(backtest.value - 1) > 1e-6)
    or (backtest.measure = 'value_captured' and backtest.scorer = 'random' and abs(backtest.value - backtest.share) > 1e-6)
    or (
        backtest.measure <> 'value_captured'
        and backtest.scorer = 'random'
        and (backtest.cutoff <> 'all' or losses.loss_count = 0)
        and abs(backtest.value - (1 - backtest.share)) > 1e-6
    )
    or (
        (backtest.measure not in ('value_captured', 'deprioritized_value') or losses.loss_count = 0)
        and (backtest.value not between 0 and 1 or backtest.low not between 0 and 1 or backtest.high not between 0 and 1)
    )
    or backtest.low > backtest.high
    or (backtest.value is null and backtest.note is null)
