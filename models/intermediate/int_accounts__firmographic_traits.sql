{{ config(materialized='view') }}

with

accounts as (
    select accounts.*
    from {{ ref('input_accounts') }} as accounts
    inner join {{ ref('int_accounts__known_at') }} as known on accounts.account_id = known.account_id
),

texts as (
    select
        account_id,
        'industry' as attribute,
        industry as value
    from accounts
    union all
    select
        account_id,
        'country' as attribute,
        country as value
    from accounts
    union all
    select
        account_id,
        'region' as attribute,
        region as value
    from accounts
),

sizes as (
    select
        account_id,
        'employee_count' as attribute,
        'size_band' as band_trait,
        cast(employee_count as double) as number
    from accounts
    union all
    select
        account_id,
        'annual_revenue' as attribute,
        'revenue_band' as band_trait,
        cast(annual_revenue as double) as number
    from accounts
),

bands as (
    select
        trait,
        band,
        at_least,
        lead(at_least) over (partition by trait order by at_least) as below
    from {{ ref('size_bands') }}
)

select
    account_id,
    attribute,
    value,
    cast(null as double) as number
from texts
where value is not null
union all
select
    account_id,
    attribute,
    cast(null as string) as value,
    number
from sizes
where number is not null
union all
select
    sizes.account_id,
    bands.trait as attribute,
    bands.band as value,
    cast(null as double) as number
from sizes
inner join bands
    on
        sizes.band_trait = bands.trait
        and sizes.number >= bands.at_least
        and coalesce(sizes.number < bands.below, true)
