-- Rows in = rows out, wherever a model joins.
with

counts as (
    select
        'orders' as step,
        (select count(*) from {{ ref('int_orders') }}) as rows_in,
        (select count(*) from {{ ref('fct_orders') }}) as rows_out
    union all
    select
        'contracts' as step,
        (
            select count(*)
            from {{ ref('fct_order_lines') }}
            where line_kind = 'contract'
        ) as rows_in,
        (select count(*) from {{ ref('fct_contracts') }}) as rows_out
    union all
    select
        'order lines' as step,
        (
            select count(*) + (select count(*) from {{ ref('int_orders') }})
            from {{ ref('input_order_lines') }}
            where order_id in (select order_id from {{ ref('int_orders') }})
        ) as rows_in,
        (
            select
                count(*)
                + (
                    select count(distinct order_id)
                    from {{ ref('input_order_lines') }}
                    where order_id in (select order_id from {{ ref('int_orders') }})
                )
            from {{ ref('fct_order_lines') }}
        ) as rows_out
    union all
    select
        'accounts' as step,
        (select count(*) from {{ ref('input_accounts') }}) as rows_in,
        (select count(distinct account_id) from {{ ref('int_accounts__resolved') }}) as rows_out
    union all
    select
        'customers' as step,
        (select count(distinct account_id) from {{ ref('int_orders') }}) as rows_in,
        (select count(*) from {{ ref('fct_customers') }}) as rows_out
)

select *
from counts
where rows_in <> rows_out
