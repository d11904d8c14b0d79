{{ config(post_hook="{{ stop_where_sums_do_not_fit('12 * mrr') }}") }}

with

as_of as (
    select * from {{ ref('int_as_of') }}
),

contracts as (
    select * from {{ ref('int_order_lines') }}
    where line_kind = 'contract'
),

succession as (
    select * from {{ ref('int_contracts__succession') }}
),

foreign_rates as (
    select * from {{ ref('int_contracts__exchange_rates') }}
),

valued as (
    select
        contracts.*,
        succession.renews_order_line_id,
        coalesce(succession.is_renewal_inferred, false) as is_renewal_inferred,
        coalesce(foreign_rates.exchange_rate, contracts.exchange_rate) as mrr_exchange_rate,
        cast({{ contract_months('contracts.starts_on', 'contracts.contracted_ends_on') }} as integer) as contract_months,
        -- What starts after the grace finds a contract that has already ended.
        case
            when
                contracts.ends_on is null
                or succession.superseded_on <= {{ add_days('contracts.ends_on', [var('renewal_grace_days'), 1] | max) }}
                then succession.superseded_on
        end as superseded_on,
        succession.superseded_by_order_id,
        as_of.as_of,
        as_of.as_of_month
    from contracts
    cross join as_of
    left join succession on contracts.order_line_id = succession.order_line_id
    left join foreign_rates on contracts.order_line_id = foreign_rates.order_line_id
),

ended as (
    select
        *,
        superseded_on is not null as is_superseded,
        case
            when ends_on < starts_on then least(ends_on, coalesce({{ add_days('superseded_on', -1) }}, ends_on))
            else coalesce({{ add_days('superseded_on', -1) }}, ends_on, as_of)
        end as live_until
    from valued
),

-- The last month whose last day (in the unfinished month: as_of) the contract covers.
covered as (
    select
        *,
        {{ first_of_month('starts_on') }} as first_month,
        case
            when live_until >= as_of then as_of_month
            when live_until = last_day(live_until) then {{ first_of_month('live_until') }}
            else {{ add_months(first_of_month('live_until'), -1) }}
        end as last_covered_month
    from ended
),

placed as (
    select
        *,
        case
            when starts_on > as_of or live_until < starts_on then cast(null as date)
            when last_covered_month >= first_month then last_covered_month
            -- Too short to cover a month's end: it counts in its first month.
            when not is_superseded then first_month
        end as last_live_month
    from covered
)

select
    order_line_id,
    order_id,
    account_id,
    product_id,
    renews_order_line_id,
    case when is_superseded then superseded_by_order_id end as superseded_by_order_id,
    is_renewal_inferred,
    is_superseded,
    live_until >= as_of and starts_on <= as_of as is_live,
    case
        when live_until >= as_of and starts_on > as_of then 'starts later'
        when live_until >= as_of then 'live'
        when is_superseded then 'superseded'
        when ends_on < contracted_ends_on or contracted_ends_on is null then 'terminated'
        else 'ended'
    end as contract_status,
    currency_code,
    quantity,
    contract_months,
    billing_months,
    amount as total_contract_value,
    amount_in_currency,
    mrr_exchange_rate,
    {{ per_month(at_rate('amount_in_currency', 'mrr_exchange_rate'), 'coalesce(contract_months, billing_months)') }} as mrr,
    starts_on,
    ends_on,
    contracted_ends_on,
    live_until,
    case when last_live_month is not null then first_month end as first_live_month,
    last_live_month,
    closed_at
from placed
