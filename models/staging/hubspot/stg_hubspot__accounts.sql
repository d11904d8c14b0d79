select
    id as account_id,
    {{ own_field('hubspot', 'accounts.account_name', 'name') }} as account_name,
    {{ own_field('hubspot', 'accounts.domain', 'domain') }} as domain,
    hs_parent_company_id as parent_account_id,
    cast(null as varchar) as merged_into_account_id,
    {{ own_field('hubspot', 'accounts.industry', 'industry') }} as industry,
    {{ own_field('hubspot', 'accounts.employee_count', 'numberofemployees') }} as employee_count,
    {{ own_field('hubspot', 'accounts.annual_revenue', 'annualrevenue') }} as annual_revenue,
    {{ own_field('hubspot', 'accounts.country', 'country') }} as country,
    {{ own_field('hubspot', 'accounts.region') }} as region,
    createdate as created_at
from {{ ref('base_hubspot__companies') }}
union all
select
    company_id as account_id,
    null as account_name,
    null as domain,
    null as parent_account_id,
    survivor_id as merged_into_account_id,
    null as industry,
    null as employee_count,
    null as annual_revenue,
    null as country,
    null as region,
    null as created_at
from {{ ref('base_hubspot__merges') }}
