select
    accounts.account_id,
    accounts.account_name,
    accounts.domain,
    accounts.parent_account_id,
    coalesce(accounts.merged_into_account_id, joined.salesforce_account_id) as merged_into_account_id,
    accounts.industry,
    accounts.employee_count,
    accounts.annual_revenue,
    accounts.country,
    accounts.region,
    accounts.created_at
from {{ ref('stg_hubspot__accounts') }} as accounts
left join {{ ref('joined_accounts') }} as joined on accounts.account_id = joined.hubspot_account_id
