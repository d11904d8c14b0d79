with

cycles as (
    select * from {{ ref('int_cycles__versions') }}
)

select
    spend.account_id,
    coalesce(spend.channel, 'unknown') as channel,
    coalesce(segments.tier, 'unassigned') as tier,
    spend.amount,
    spend.cycle_start
from {{ ref('int_accounts__campaign_spend') }} as spend
inner join cycles on spend.cycle_start = cycles.cycle_start
left join {{ ref('int_accounts__segments_by_version') }} as segments
    on
        spend.account_id = segments.account_id
        and cycles.icp_version = segments.icp_version
