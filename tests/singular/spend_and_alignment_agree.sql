-- icp_spend tells apart by channel what icp_alignment tells by tier.
with

spend as (
    select
        cycle_start,
        tier,
        sum(spend) as spend,
        sum(opportunity_count) as opportunity_count,
        sum(win_count) as win_count
    from {{ ref('icp_spend') }}
    group by cycle_start, tier
),

alignment as (
    select * from {{ ref('icp_alignment') }}
    where
        (spend <> 0 or opportunity_count > 0 or win_count > 0)
        and exists (select 1 from {{ ref('icp_spend') }})
)

select
    coalesce(spend.cycle_start, alignment.cycle_start) as cycle_start,
    coalesce(spend.tier, alignment.tier) as tier,
    spend.spend as spend_by_channel,
    alignment.spend as spend_by_tier
from spend
full outer join alignment
    on
        spend.cycle_start = alignment.cycle_start
        and spend.tier = alignment.tier
where
    coalesce(spend.spend, 0) <> coalesce(alignment.spend, 0)
    or coalesce(spend.opportunity_count, 0) <> coalesce(alignment.opportunity_count, 0)
    or coalesce(spend.win_count, 0) <> coalesce(alignment.win_count, 0)
