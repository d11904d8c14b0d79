with

ranked_accounts as (
    select
        account_id,
        segment_id,
        is_in_force,
        icp_version,
        {{ tier_rank('tier') }} as rank
    from {{ ref('int_accounts__segments_by_version') }}
),

moved_accounts as (
    select
        in_force.segment_id,
        case when challenger.rank < in_force.rank then 1 else 0 end as is_raised,
        case when challenger.rank > in_force.rank then 1 else 0 end as is_lowered
    from ranked_accounts as in_force
    inner join ranked_accounts as challenger
        on
            in_force.account_id = challenger.account_id
            and in_force.is_in_force
            and challenger.icp_version = 'learned'
            and not challenger.is_in_force
)

select
    segment_id,
    sum(is_raised) as raised_account_count,
    sum(is_lowered) as lowered_account_count
from moved_accounts
group by segment_id
union all
select
    'all' as segment_id,
    sum(is_raised) as raised_account_count,
    sum(is_lowered) as lowered_account_count
from moved_accounts
