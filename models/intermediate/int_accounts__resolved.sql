{#- Merges into another account that is there. -#}
{%- set merges -%}
    select
        merged.account_id as id,
        merged.merged_into_account_id as target_id
    from {{ ref('input_accounts') }} as merged
    inner join {{ ref('input_accounts') }} as target on merged.merged_into_account_id = target.account_id
    where merged.merged_into_account_id <> merged.account_id
{%- endset -%}

with

accounts as (
    select * from {{ ref('input_accounts') }}
),

excluded as (
    select * from {{ ref('stg_people__excluded_accounts') }}
),

ends as (
    {{ chain_ends(merges) }}
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
    left join ends on accounts.account_id = ends.id
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
