{{ config(post_hook="{{ stop_where_all_are_rejected('accounts') }}") }}

with

accounts as (
    select *
    from {{ ref('input_accounts__checked') }}
    where reject_rule is null
)

select
    -- ids
    accounts.account_id,
    accounts.parent_account_id,
    -- A merge into an account that is not there did not happen.
    survivors.account_id as merged_into_account_id,
    -- text
    accounts.account_name,
    accounts.domain,
    accounts.industry,
    accounts.country,
    accounts.region,
    -- numbers
    accounts.employee_count,
    accounts.annual_revenue,
    -- times
    accounts.created_at
from accounts
left join accounts as survivors on accounts.merged_into_account_id = survivors.account_id
