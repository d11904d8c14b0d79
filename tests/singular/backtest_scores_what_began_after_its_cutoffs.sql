-- At most eight quarter starts, a whole quarter before the end of as_of, each with the pursuits, wins, won value and spend of its year. A sample has
-- fewer.
with

backtest as (
    select distinct
        cast(cutoff as date) as cutoff_on,
        pursuit_count,
        won_pursuit_count,
        won_value,
        coalesce(spend_amount, 0) as spend_amount
    from {{ ref('icp_backtest') }}
    -- Engagement is tried on who begins.
    where cutoff <> 'all' and scorer <> 'engagement'
),

pursuits as (
    select
        *,
        count(*) over () > 10000 as is_sample
    from {{ ref('int_pursuits') }}
),

scored as (
    select
        backtest.cutoff_on,
        count(*) as pursuit_count,
        count(*) filter (where pursuits.is_won) as won_pursuit_count,
        sum(pursuits.value) as won_value,
        max(case when pursuits.is_sample then 1 else 0 end) as is_sample
    from backtest
    inner join pursuits
        on
            backtest.cutoff_on <= pursuits.began_at
            and {{ add_months('backtest.cutoff_on', 12) }} > pursuits.began_at
    group by backtest.cutoff_on
),

first_orders as (
    select
        account_id,
        closed_at
    from {{ ref('int_orders__priced') }}
    where order_number = 1
),

-- Of accounts that were no customers yet, and not being pursued at the cut-off.
spent as (
    select
        backtest.cutoff_on,
        sum(spend.amount) as spend_amount
    from backtest
    inner join {{ ref('int_accounts__campaign_spend') }} as spend
        on
            backtest.cutoff_on <= spend.spend_month
            and {{ add_months('backtest.cutoff_on', 12) }} > spend.spend_month
    left join pursuits on spend.account_id = pursuits.account_id
    left join first_orders on spend.account_id = first_orders.account_id
    where
        spend.account_id is not null
        and not coalesce(pursuits.began_at < backtest.cutoff_on and pursuits.closed_at >= backtest.cutoff_on, false)
        and not coalesce(first_orders.closed_at < spend.spend_month, false)
        and (first_orders.account_id is null or pursuits.account_id is not null)
    group by backtest.cutoff_on
)

select
    backtest.*,
    scored.won_value as won_value_of_pursuits,
    spent.spend_amount as spend_on_accounts
from backtest
cross join {{ ref('int_as_of') }} as as_of
left join scored on backtest.cutoff_on = scored.cutoff_on
left join spent on backtest.cutoff_on = spent.cutoff_on
where
    backtest.cutoff_on <> date_trunc('quarter', backtest.cutoff_on)
    or as_of.ends_at < {{ add_months('backtest.cutoff_on', 3) }}
    or (select count(*) from backtest) > 8
    or scored.cutoff_on is null
    or (
        scored.is_sample = 0
        and (
            backtest.pursuit_count <> scored.pursuit_count
            or backtest.won_pursuit_count <> scored.won_pursuit_count
            or abs(backtest.won_value - scored.won_value) >= 0.01
            or abs(backtest.spend_amount - coalesce(spent.spend_amount, 0)) >= 0.01
        )
    )
