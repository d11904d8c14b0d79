-- That a company is an account of Salesforce is said by the account itself.
select external_ids.*
from {{ ref('stg_hubspot__account_external_ids') }} as external_ids
left join {{ ref('joined_accounts') }} as joined on external_ids.account_id = joined.hubspot_account_id
where external_ids.system <> 'salesforce' or joined.salesforce_account_id is null
