with

accounts as (
    select * from {{ source('salesforce', 'account') }}
)

select
    id as account_id,
    {{ own_field('salesforce', 'accounts.account_name', 'name') }} as account_name,
    {{ own_field(
        'salesforce', 'accounts.domain', "nullif(regexp_extract(lower(trim(website)), '^(?:[a-z]+://)?(?:www[.])?([^/?#:\s]+)', 1), '')"
    ) }} as domain,
    parentid as parent_account_id,
    cast(null as varchar) as merged_into_account_id,
    {{ own_field('salesforce', 'accounts.industry', 'industry') }} as industry,
    {{ own_field('salesforce', 'accounts.employee_count', 'numberofemployees') }} as employee_count,
    {{ own_field('salesforce', 'accounts.annual_revenue', 'annualrevenue') }} as annual_revenue,
    {{ own_field('salesforce', 'accounts.country', 'billingcountry') }} as country,
    {{ own_field('salesforce', 'accounts.region') }} as region,
    createddate as created_at
from accounts
where not is_deleted
union all by name
-- The loser of a merge is deleted and names the winner: what still names the loser follows.
select
    id as account_id,
    masterrecordid as merged_into_account_id
from accounts
where is_deleted and masterrecordid is not null
