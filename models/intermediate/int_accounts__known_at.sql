{{ config(materialized='view') }}

select
    accounts.account_id,
    coalesce(pursuits.began_at, as_of.ends_at) as known_at
from {{ ref('int_accounts__in_scope') }} as accounts
cross join {{ ref('int_as_of') }} as as_of
left join {{ ref('int_pursuits') }} as pursuits on accounts.account_id = pursuits.account_id
where accounts.account_id = accounts.resolved_account_id
