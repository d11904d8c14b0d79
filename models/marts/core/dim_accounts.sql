with

as_of as (
    select * from {{ ref('int_as_of') }}
),

resolved as (
    select * from {{ ref('int_accounts__resolved') }}
    where not is_excluded
),

accounts as (
    select * from {{ ref('input_accounts') }}
),

customers as (
    select distinct account_id from {{ ref('int_orders') }}
),

opportunities as (
    select distinct account_id from {{ ref('int_opportunities') }}
),

engaged as (
    select distinct account_id from {{ ref('int_engagements') }}
),

segments as (
    select * from {{ ref('int_accounts__segments') }}
),

fit_scores as (
    select * from {{ ref('int_accounts__fit_scores') }}
),

clusters as (
    select * from {{ ref('int_customers__value_clusters') }}
),

merged as (
    select
        resolved_account_id as account_id,
        count(*) filter (
            where resolved.account_id <> resolved.resolved_account_id and coalesce(records.created_at < as_of.ends_at, true)
        ) as merged_account_count
    from resolved
    cross join as_of
    inner join accounts as records on resolved.account_id = records.account_id
    group by resolved_account_id
),

survivors as (
    select
        accounts.*,
        merged.merged_account_count,
        customers.account_id is not null as is_customer,
        parents.resolved_account_id as resolved_parent_id,
        segments.segment_id,
        segments.tier,
        clusters.value_cluster
    from accounts
    cross join as_of
    inner join merged on accounts.account_id = merged.account_id
    left join segments on accounts.account_id = segments.account_id
    left join clusters on accounts.account_id = clusters.account_id
    left join customers on accounts.account_id = customers.account_id
    left join opportunities on accounts.account_id = opportunities.account_id
    left join engaged on accounts.account_id = engaged.account_id
    left join resolved as parents on accounts.parent_account_id = parents.account_id
    -- A record that was made late is there as soon as its account has done something.
    where
        coalesce(accounts.created_at < as_of.ends_at, true)
        or customers.account_id is not null
        or opportunities.account_id is not null
        or engaged.account_id is not null
),

present as (
    select account_id from survivors
)

select
    survivors.account_id,
    account_name,
    domain,
    parents.account_id as parent_account_id,
    segment_id,
    tier,
    fit_scores.reason_1,
    fit_scores.reason_2,
    fit_scores.reason_3,
    value_cluster,
    industry,
    country,
    region,
    is_customer,
    case when domain is null then false else count(*) over (partition by lower(domain)) > 1 end as has_duplicate_domain,
    employee_count,
    annual_revenue,
    fit_scores.fit_score,
    cast(merged_account_count as integer) as merged_account_count,
    created_at
from survivors
left join fit_scores on survivors.account_id = fit_scores.account_id
left join present as parents
    on
        survivors.resolved_parent_id = parents.account_id
        and survivors.account_id <> parents.account_id
