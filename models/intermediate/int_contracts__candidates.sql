with

contracts as (
    select
        order_line_id,
        order_id,
        account_id,
        -- Lines that name no product are of one product: the order itself.
        coalesce(product_id, '') as product_id,
        starts_on,
        ends_on,
        contracted_ends_on,
        closed_at
    from {{ ref('int_order_lines') }}
    where line_kind = 'contract'
),

crowds as (
    select
        account_id,
        product_id
    from contracts
    group by account_id, product_id
    having count(*) > {{ most_paired_lines() }}
),

replacements as (
    select * from {{ ref('int_orders__replacements') }}
),

windows as (
    select
        orders.order_id,
        case
            when opportunities.opportunity_type = 'renewal' then {{ [92, var('renewal_overlap_days')] | max }}
            else {{ var('renewal_overlap_days') }}
        end as overlap_days
    from {{ ref('int_orders') }} as orders
    left join {{ ref('input_opportunities') }} as opportunities on orders.opportunity_id = opportunities.opportunity_id
),

-- What is replaced by name is renewed by nothing else.
renewable as (
    select
        contracts.*,
        own.replaces_order_id
    from contracts
    left join replacements as own on contracts.order_id = own.order_id
    anti join replacements on contracts.order_id = replacements.replaces_order_id
    anti join crowds on contracts.account_id = crowds.account_id and contracts.product_id = crowds.product_id
    where contracts.ends_on is not null
),

-- An order that replaces another by name renews nothing else. A contract that was terminated before it began renews nothing.
renewing as (
    select
        contracts.*,
        windows.overlap_days
    from contracts
    inner join windows on contracts.order_id = windows.order_id
    anti join replacements on contracts.order_id = replacements.order_id
    where contracts.ends_on is null or contracts.ends_on >= contracts.starts_on
),

pairs as (
    select
        older.order_line_id as renewed_order_line_id,
        older.starts_on as renewed_starts_on,
        newer.order_line_id,
        newer.order_id,
        newer.account_id,
        newer.product_id,
        newer.starts_on,
        newer.closed_at,
        abs({{ days_between('older.ends_on', 'newer.starts_on') }}) as days_apart
    from renewable as older
    inner join renewing as newer
        on
            older.account_id = newer.account_id
            and older.product_id = newer.product_id
            and older.order_id <> newer.order_id
            -- What was replaced does not renew what replaced it.
            and older.replaces_order_id is distinct from newer.order_id
            and newer.starts_on >= {{ add_days('older.ends_on', '-newer.overlap_days') }}
            and newer.starts_on <= {{ add_days('older.ends_on', var('renewal_grace_days')) }}
            and (newer.contracted_ends_on > older.ends_on or newer.contracted_ends_on is null)
            and (
                newer.closed_at > older.closed_at
                or (newer.closed_at = older.closed_at and newer.order_id > older.order_id)
            )
),

-- Only where a line has a choice does it matter which pair is preferred.
choices as (
    select
        *,
        count(*) over (partition by order_line_id) = 1 and count(*) over (partition by renewed_order_line_id) = 1 as is_only_choice
    from pairs
)

select
    order_line_id,
    order_id,
    account_id,
    product_id,
    renewed_order_line_id,
    starts_on,
    1 as closeness,
    1 as preference,
    is_only_choice
from choices
where is_only_choice
union all
select
    order_line_id,
    order_id,
    account_id,
    product_id,
    renewed_order_line_id,
    starts_on,
    dense_rank() over (partition by account_id, product_id order by days_apart, starts_on) as closeness,
    row_number() over (
        partition by account_id, product_id
        order by days_apart, starts_on, closed_at, order_line_id, renewed_starts_on, renewed_order_line_id
    ) as preference,
    is_only_choice
from choices
where not is_only_choice
