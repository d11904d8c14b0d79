{{ config(post_hook="{{ stop_where_sums_do_not_fit('amount') }}") }}

with

as_of as (
    select * from {{ ref('int_as_of') }}
),

accounts as (
    select * from {{ ref('int_accounts__in_scope') }}
),

rates as (
    select * from {{ ref('int_exchange_rates__by_day') }}
),

opportunities as (
    select
        opportunities.*,
        accounts.resolved_account_id,
        -- A deal that closed after as_of is still open.
        opportunities.is_closed and coalesce(opportunities.closed_at < as_of.ends_at, true) as is_closed_by_then
    from {{ ref('input_opportunities') }} as opportunities
    cross join as_of
    inner join accounts on opportunities.account_id = accounts.account_id
    where opportunities.created_at < as_of.ends_at
),

stages as (
    select
        stages.opportunity_id,
        stages.stage,
        row_number() over (
            partition by stages.opportunity_id
            order by stages.entered_at desc, stages.stage_order desc nulls last, stages.stage asc
        ) as recency
    from {{ ref('input_opportunity_stages') }} as stages
    cross join as_of
    where stages.entered_at < as_of.ends_at
),

dated as (
    select
        *,
        case when is_closed_by_then then coalesce(closed_at, created_at) else created_at end as rated_at
    from opportunities
)

select
    dated.opportunity_id,
    dated.resolved_account_id as account_id,
    dated.opportunity_name,
    dated.opportunity_type,
    -- The stage of a deal that closed later is known from its history only.
    case
        when dated.is_closed_by_then or not dated.is_closed then coalesce(dated.stage, stages.stage)
        else stages.stage
    end as stage,
    dated.lead_source,
    coalesce(dated.currency_code, '{{ var("reporting_currency") }}') as currency_code,
    dated.is_closed_by_then as is_closed,
    dated.is_closed_by_then and dated.is_won as is_won,
    case
        when coalesce(dated.currency_code, '{{ var("reporting_currency") }}') = '{{ var("reporting_currency") }}'
            then dated.amount
        else {{ at_rate('dated.amount', 'rates.exchange_rate') }}
    end as amount,
    case
        when dated.is_closed_by_then and cast(dated.closed_at as date) >= cast(dated.created_at as date)
            then {{ days_between('dated.created_at', 'dated.closed_at') }}
    end as days_to_close,
    dated.created_at,
    case when dated.is_closed_by_then then dated.closed_at end as closed_at
from dated
left join stages
    on
        dated.opportunity_id = stages.opportunity_id
        and stages.recency = 1
left join rates on {{ rate_applies('dated.currency_code', 'dated.rated_at') }}
