with

companies as (
    select * from {{ ref('base_hubspot__companies') }}
)

select
    id as account_id,
    'hubspot' as system,
    id as external_id
from companies
union all
select
    id as account_id,
    'salesforce' as system,
    salesforceaccountid as external_id
from companies
where salesforceaccountid is not null
