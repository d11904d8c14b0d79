with

orders as (
    select * from {{ ref('int_orders') }}
),

contracts as (
    select
        lines.order_line_id,
        lines.order_id,
        lines.account_id,
        lines.starts_on,
        lines.ends_on,
        lines.contracted_ends_on,
        lines.closed_at,
        -- Lines that name no product are of one product: the order itself.
        coalesce(lines.product_id, '') as product_id
    from {{ ref('int_order_lines') }} as lines
    where lines.line_kind = 'contract'
),

starts as (
    select
        order_id,
        min(starts_on) as starts_on
    from contracts
    group by order_id
),

-- An order that names what it replaces.
replacements as (
    select
        newer.order_id,
        newer.replaces_order_id as replaced_order_id,
        greatest(
            coalesce(newer.stated_starts_on, starts.starts_on, newer.starts_on),
            coalesce(starts.starts_on, newer.starts_on)
        ) as starts_on
    from orders as newer
    left join starts on newer.order_id = starts.order_id
    where newer.replaces_order_id is not null
),

replaced as (
    select
        replaced_order_id,
        order_id as superseded_by_order_id,
        starts_on as superseded_on,
        row_number() over (partition by replaced_order_id order by starts_on, order_id) as preference
    from replacements
),

-- Without that, a line renews by product.
renewable as (
    select contracts.*
    from contracts
    anti join replaced on contracts.order_id = replaced.replaced_order_id
),

-- A contract that was terminated before it began renews nothing.
renewing as (
    select contracts.*
    from contracts
    anti join replacements on contracts.order_id = replacements.order_id
    where contracts.ends_on >= contracts.starts_on
),

renewals as (
    select
        older.order_line_id as renewed_order_line_id,
        newer.order_line_id,
        newer.order_id,
        newer.starts_on,
        older.closed_at as renewed_closed_at,
        older.order_id as renewed_order_id,
        first_value(newer.order_id) over (
            partition by older.order_line_id
            order by newer.starts_on, newer.closed_at, newer.order_id
        ) as first_order_id
    from renewable as older
    inner join renewing as newer
        on
            older.account_id = newer.account_id
            and older.product_id = newer.product_id
            and older.order_id <> newer.order_id
            and newer.starts_on >= {{ add_days('older.ends_on', -92) }}
            and newer.starts_on <= {{ add_days('older.ends_on', var('renewal_grace_days')) }}
            and newer.contracted_ends_on > older.ends_on
            and (
                newer.closed_at > older.closed_at
                or (newer.closed_at = older.closed_at and newer.order_id > older.order_id)
            )
    -- What was replaced does not renew what replaced it.
    left join replaced as replaced_newer
        on
            newer.order_id = replaced_newer.replaced_order_id
            and older.order_id = replaced_newer.superseded_by_order_id
    where replaced_newer.replaced_order_id is null
),

superseded as (
    select
        renewed_order_line_id as order_line_id,
        order_id as superseded_by_order_id,
        min(starts_on) as superseded_on
    from renewals
    where order_id = first_order_id
    group by renewed_order_line_id, order_id
    union all
    select
        contracts.order_line_id,
        replaced.superseded_by_order_id,
        replaced.superseded_on
    from contracts
    inner join replaced
        on
            contracts.order_id = replaced.replaced_order_id
            and replaced.preference = 1
),

predecessors as (
    select
        order_line_id,
        renewed_order_line_id as renews_order_line_id,
        row_number() over (
            partition by order_line_id
            order by renewed_closed_at desc, renewed_order_id desc, renewed_order_line_id desc
        ) as preference
    from renewals
    where order_id = first_order_id
    union all
    select
        newer.order_line_id,
        older.order_line_id as renews_order_line_id,
        row_number() over (
            partition by newer.order_line_id
            order by case when older.product_id = newer.product_id then 0 else 1 end, older.order_line_id
        ) as preference
    from replacements
    inner join contracts as newer on replacements.order_id = newer.order_id
    inner join contracts as older on replacements.replaced_order_id = older.order_id
)

select
    contracts.order_line_id,
    predecessors.renews_order_line_id,
    superseded.superseded_by_order_id,
    superseded.superseded_on
from contracts
left join predecessors
    on
        contracts.order_line_id = predecessors.order_line_id
        and predecessors.preference = 1
left join superseded on contracts.order_line_id = superseded.order_line_id
