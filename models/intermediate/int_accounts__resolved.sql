with recursive

accounts as (
    select * from {{ ref('input_accounts') }}
),

excluded as (
    select * from {{ ref('stg_people__excluded_accounts') }}
),

merge_links as (
    select
        merged.account_id,
        merged.merged_into_account_id as target_id
    from accounts as merged
    inner join accounts as target on merged.merged_into_account_id = target.account_id
    where merged.merged_into_account_id <> merged.account_id
),

-- Distinct pairs, so that a cycle comes to rest.
reached as (
    select
        account_id,
        target_id
    from merge_links
    union
    select
        reached.account_id,
        merge_links.target_id
    from reached
    inner join merge_links on reached.target_id = merge_links.account_id
),

ends as (
    select
        reached.account_id,
        min(case when merge_links.account_id is null then reached.target_id end) as last_id,
        min(case when reached_again.account_id is not null then reached.target_id end) as smallest_id_of_cycle
    from reached
    left join merge_links on reached.target_id = merge_links.account_id
    left join reached as reached_again
        on
            reached.target_id = reached_again.account_id
            and reached.target_id = reached_again.target_id
    group by reached.account_id
),

resolved as (
    select
        accounts.account_id,
        coalesce(ends.last_id, ends.smallest_id_of_cycle, accounts.account_id) as resolved_account_id,
        case
            when ends.last_id is not null then 'merged'
            when ends.smallest_id_of_cycle is not null then 'merge_cycle'
            when accounts.merged_into_account_id <> accounts.account_id then 'merge_target_unknown'
            else 'own'
        end as resolution
    from accounts
    left join ends on accounts.account_id = ends.account_id
)

select
    resolved.account_id,
    resolved.resolved_account_id,
    resolved.resolution,
    coalesce(own_exclusion.reason, survivor_exclusion.reason) as exclusion_reason,
    (own_exclusion.account_id is not null or survivor_exclusion.account_id is not null) as is_excluded
from resolved
left join excluded as own_exclusion on resolved.account_id = own_exclusion.account_id
left join excluded as survivor_exclusion on resolved.resolved_account_id = survivor_exclusion.account_id
