with

pursuits as (
    select * from {{ ref('int_pursuits') }}
),

sales as (
    select
        account_id,
        value,
        row_number() over (partition by account_id order by sold_at, order_id) as sale_number
    from {{ ref('int_pursuits__sales') }}
)

select
    pursuits.account_id,
    pursuits.is_won,
    pursuits.is_sampled,
    case when pursuits.is_won and pursuits.value_basis <> 'wins' then sales.value end as first_order_value,
    -- With orders only, a pursuit begins when it is won: nothing is known of its time.
    case
        when pursuits.is_won and pursuits.began_at < pursuits.closed_at
            then {{ days_between('pursuits.began_at', 'pursuits.closed_at') }}
    end as days_to_close,
    {{ cycle_of('pursuits.closed_at') }} as cycle_start,
    pursuits.closed_at
from pursuits
left join sales
    on
        pursuits.account_id = sales.account_id
        and sales.sale_number = 1
