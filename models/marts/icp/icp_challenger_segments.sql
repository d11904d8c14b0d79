with

-- Without an adoption what is learned is in force, and nothing challenges it.
challengers as (
    select learned.*
    from {{ ref('learned_segments') }} as learned
    inner join {{ ref('int_icp_versions') }} as versions
        on
            versions.icp_version = 'learned'
            and not versions.is_in_force
),

accounts as (
    select * from {{ ref('dim_accounts') }}
),

placed as (
    select
        by_version.segment_id,
        accounts.segment_id as adopted_segment_id,
        accounts.is_customer,
        {{ tier_rank('by_version.tier') }} as rank,
        {{ tier_rank('accounts.tier') }} as adopted_rank
    from {{ ref('int_accounts__segments_by_version') }} as by_version
    inner join accounts on by_version.account_id = accounts.account_id
    where by_version.icp_version = 'learned'
),

shared as (
    select
        segment_id,
        adopted_segment_id,
        count(*) as account_count,
        row_number() over (partition by segment_id order by count(*) desc, adopted_segment_id asc) as place
    from placed
    group by segment_id, adopted_segment_id
),

counts as (
    select
        segment_id,
        count(*) as account_count,
        count(*) filter (where is_customer) as customer_count,
        count(*) filter (where rank < adopted_rank) as raised_account_count,
        count(*) filter (where rank > adopted_rank) as lowered_account_count
    from placed
    group by segment_id
)

select
    challengers.segment_id,
    challengers.segment_name,
    challengers.definition,
    challengers.tier,
    challengers.evidence,
    challengers.rules,
    shared.adopted_segment_id,
    cast(coalesce(counts.account_count, 0) as integer) as account_count,
    cast(coalesce(counts.customer_count, 0) as integer) as customer_count,
    cast(coalesce(shared.account_count, 0) as integer) as shared_account_count,
    cast(coalesce(counts.raised_account_count, 0) as integer) as raised_account_count,
    cast(coalesce(counts.lowered_account_count, 0) as integer) as lowered_account_count,
    cast(challengers.pursuits as integer) as pursuit_count,
    cast(challengers.wins as integer) as won_pursuit_count,
    cast({{ if_deals_are_lost('challengers.win_rate') }} as double) as win_rate,
    cast({{ if_deals_are_lost('challengers.win_rate_low') }} as double) as win_rate_low,
    cast({{ if_deals_are_lost('challengers.win_rate_high') }} as double) as win_rate_high,
    cast(challengers.value_per_pursuit as double) as value_per_pursuit,
    cast(challengers.lift as double) as lift,
    cast(challengers.lift_low as double) as lift_low,
    cast(challengers.lift_high as double) as lift_high
from challengers
left join counts on challengers.segment_id = counts.segment_id
left join shared
    on
        challengers.segment_id = shared.segment_id
        and shared.place = 1
