with

contracts as (
    select
        order_line_id,
        order_id,
        coalesce(product_id, '') as product_id
    from {{ ref('int_order_lines') }}
    where line_kind = 'contract'
),

replacements as (
    select * from {{ ref('int_orders__replacements') }}
),

renewals as (
    select * from {{ ref('int_contracts__renewals') }}
),

-- By name a line continues one of its product, else the first.
continued as (
    select
        newer.order_line_id,
        older.order_line_id as renewed_order_line_id,
        row_number() over (
            partition by newer.order_line_id
            order by case when older.product_id = newer.product_id then 0 else 1 end, older.order_line_id
        ) as preference
    from replacements
    inner join contracts as newer on replacements.order_id = newer.order_id
    inner join contracts as older on replacements.replaces_order_id = older.order_id
)

select
    contracts.order_line_id,
    coalesce(renewing.renewed_order_line_id, continued.renewed_order_line_id) as renews_order_line_id,
    renewing.order_line_id is not null as is_renewal_inferred,
    coalesce(renewed.order_id, replaced.order_id) as superseded_by_order_id,
    coalesce(renewed.starts_on, replaced.starts_on) as superseded_on
from contracts
left join renewals as renewing on contracts.order_line_id = renewing.order_line_id
left join renewals as renewed on contracts.order_line_id = renewed.renewed_order_line_id
left join continued
    on
        contracts.order_line_id = continued.order_line_id
        and continued.preference = 1
left join replacements as replaced
    on
        contracts.order_id = replaced.replaces_order_id
        and replaced.is_first
