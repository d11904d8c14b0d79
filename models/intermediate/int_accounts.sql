with

as_of as (
    select * from {{ ref('int_as_of') }}
),

resolved as (
    select * from {{ ref('int_accounts__in_scope') }}
),

accounts as (
    select * from {{ ref('input_accounts') }}
),

customers as (
    select distinct account_id from {{ ref('int_orders') }}
),

merged as (
    select
        resolved.resolved_account_id as account_id,
        count(*) filter (
            where resolved.account_id <> resolved.resolved_account_id and coalesce(records.created_at < as_of.ends_at, true)
        ) as merged_account_count
    from resolved
    cross join as_of
    inner join accounts as records on resolved.account_id = records.account_id
    group by resolved.resolved_account_id
),

survivors as (
    select
        accounts.*,
        merged.merged_account_count,
        customers.account_id is not null as is_customer,
        parents.resolved_account_id as resolved_parent_id
    from accounts
    cross join as_of
    inner join merged on accounts.account_id = merged.account_id
    left join customers on accounts.account_id = customers.account_id
    left join {{ ref('int_accounts__first_events') }} as first_events on accounts.account_id = first_events.account_id
    left join resolved as parents on accounts.parent_account_id = parents.account_id
    -- A record that was made late is there as soon as its account has done something.
    where
        coalesce(accounts.created_at < as_of.ends_at, true)
        or first_events.account_id is not null
),

present as (
    select account_id from survivors
)

select
    survivors.account_id,
    survivors.account_name,
    survivors.domain,
    parents.account_id as parent_account_id,
    survivors.industry,
    survivors.country,
    survivors.region,
    survivors.is_customer,
    survivors.domain is not null and count(*) over (partition by {{ lower_case('survivors.domain') }}) > 1 as has_duplicate_domain,
    survivors.employee_count,
    survivors.annual_revenue,
    cast(survivors.merged_account_count as integer) as merged_account_count,
    survivors.created_at
from survivors
left join present as parents
    on
        survivors.resolved_parent_id = parents.account_id
        and survivors.account_id <> parents.account_id
