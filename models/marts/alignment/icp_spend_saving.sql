with

as_of as (
    select * from {{ ref('int_as_of') }}
),

backtest as (
    select * from {{ ref('icp_backtest') }}
    where
        cutoff = 'all'
        and scorer = 'segments'
),

pursued as (
    select distinct account_id
    from {{ ref('int_pursuits') }}
),

lifespans as (
    select * from {{ ref('int_accounts__lifespans') }}
),

-- The spend that the backtest takes its shares of: on accounts that were not customers yet in that month, and none without a pursuit.
spend as (
    select sum(spend.amount) as yearly_spend
    from {{ ref('int_accounts__campaign_spend') }} as spend
    cross join as_of
    inner join lifespans on spend.account_id = lifespans.account_id
    left join pursued on spend.account_id = pursued.account_id
    where
        spend.spend_month > {{ add_months('as_of.as_of_month', -12) }}
        and (
            lifespans.customer_from is null
            or (pursued.account_id is not null and lifespans.customer_from >= spend.spend_month)
        )
),

what_ifs as (
    select
        'skip_deprioritized' as what_if,
        cast(1 as double) as share,
        'deprioritized_spend' as measure
    union all
    select
        'keep_95' as what_if,
        cast(0.95 as double) as share,
        'spend_skippable' as measure
    union all
    select
        'keep_90' as what_if,
        cast(0.9 as double) as share,
        'spend_skippable' as measure
),

joined as (
    select
        what_ifs.what_if,
        saved.note,
        saved.pursuit_count,
        saved.won_pursuit_count,
        saved.value as saved_share,
        saved.low as saved_share_low,
        saved.high as saved_share_high,
        case
            when what_ifs.measure = 'deprioritized_spend' then 1 - lost.value
            when saved.value is not null then what_ifs.share
        end as value_kept_share,
        1 - lost.high as value_kept_share_low,
        1 - lost.low as value_kept_share_high,
        cast(coalesce(spend.yearly_spend, 0) as double) as yearly_spend
    from what_ifs
    cross join spend
    inner join backtest as saved
        on
            what_ifs.measure = saved.measure
            and what_ifs.share = saved.share
    left join backtest as lost
        on
            what_ifs.what_if = 'skip_deprioritized'
            and lost.measure = 'deprioritized_value'
    where exists (select 1 from {{ ref('int_accounts__campaign_spend') }})
)

select
    what_if,
    note,
    pursuit_count,
    won_pursuit_count,
    saved_share,
    saved_share_low,
    saved_share_high,
    value_kept_share,
    value_kept_share_low,
    value_kept_share_high,
    cast(yearly_spend as decimal(18, 4)) as yearly_spend,
    cast(saved_share * yearly_spend as decimal(18, 4)) as yearly_saving,
    cast(saved_share_low * yearly_spend as decimal(18, 4)) as yearly_saving_low,
    cast(saved_share_high * yearly_spend as decimal(18, 4)) as yearly_saving_high
from joined
