-- To the cent, in whatever measure the value is. Of a win without an amount neither is known.
with

sold as (
    select
        account_id,
        sum(value) as value
    from {{ ref('int_pursuits__sales') }}
    group by account_id
)

select
    pursuits.account_id,
    pursuits.value,
    sold.value as sold
from {{ ref('int_pursuits') }} as pursuits
full outer join sold on pursuits.account_id = sold.account_id
where pursuits.value is distinct from coalesce(sold.value, case when not pursuits.is_won then 0 end)
