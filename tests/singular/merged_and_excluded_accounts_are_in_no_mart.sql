with

gone as (
    select account_id
    from {{ ref('int_accounts__resolved') }}
    where is_excluded or account_id <> resolved_account_id
),

used as (
    {% for mart in [
        'dim_accounts', 'fct_orders', 'fct_order_lines', 'fct_contracts', 'fct_opportunities', 'fct_customers', 'fct_mrr_movements',
        'sync_hubspot_companies', 'sync_hubspot_contacts',
    ] -%}
    select
        '{{ mart }}' as mart,
        account_id
    from {{ ref(mart) }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
)

select *
from used
where account_id in (select account_id from gone)
