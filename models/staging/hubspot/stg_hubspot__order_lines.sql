{{ config(materialized='table') }}

with

won_deals as (
    select
        deal_id,
        coalesce({{ read_date('own_starts_on') }}, {{ read_date('closed_at') }}) as starts_on,
        {{ read_date('own_ends_on') }} as ends_on,
        {{ read_number('own_term_months') }} as term_months
    from {{ ref('base_hubspot__deals') }}
    where is_won
),

line_items as (
    select
        *,
        {{ read_number('quantity') }} as units,
        {{ read_number('amount') }} as period_amount,
        {{ read_number('hs_cost_of_goods_sold') }} as unit_cost,
        nullif(trim(cast(recurringbillingfrequency as varchar)), '') is not null as is_recurring,
        {{ hubspot_billing_months('recurringbillingfrequency') }} as billing_months,
        12 * {{ iso_part('hs_recurring_billing_period', 'Y') }} + {{ iso_part('hs_recurring_billing_period', 'M') }} as term_in_months,
        {{ iso_part('hs_recurring_billing_period', 'W') }} as term_in_weeks,
        {{ iso_part('hs_recurring_billing_period', 'D') }} as term_in_days,
        {{ read_date(own_field('hubspot', 'order_lines.starts_on', 'hs_recurring_billing_start_date')) }} as starts_on,
        {{ read_date(own_field('hubspot', 'order_lines.ends_on')) }} as own_ends_on,
        {{ read_number(own_field('hubspot', 'order_lines.term_months')) }} as own_term_months
    from {{ source('hubspot', 'line_item') }}
    where not is_deleted
),

sold as (
    select
        line_items.*,
        won_deals.deal_id as won_deal_id,
        coalesce(line_items.starts_on, won_deals.starts_on) as first_day,
        won_deals.ends_on as deal_ends_on,
        won_deals.term_months as deal_term_months,
        term_in_months + term_in_weeks + term_in_days > 0 as has_period,
        -- 52 weeks, or 365 days, are a year.
        coalesce(
            nullif(term_in_months + term_in_weeks * 12 / 52 + term_in_days * 12 / 365, 0),
            nullif({{ read_number('hs_term_in_months') }}, 0)
        ) as hubspot_months
    from line_items
    inner join {{ ref('base_hubspot__deal_line_items') }} as associations on line_items.id = associations.line_item_id
    inner join won_deals on associations.deal_id = won_deals.deal_id
),

-- The term that the contract counts: a line without one has that of its deal.
terms as (
    select
        *,
        coalesce(
            {{ contract_months('first_day', 'own_ends_on') }},
            {{ 'own_term_months' if 'order_lines.term_months' in var('hubspot_fields') else 'hubspot_months' }},
            {{ contract_months('first_day', 'deal_ends_on') }},
            deal_term_months
        ) as months,
        hubspot_months = floor(hubspot_months) as is_whole_months,
        -- A term in months may have a fraction, which is days.
        case when has_period then term_in_months else cast(floor(hubspot_months) as integer) end as months_of_term,
        case
            when has_period then 7 * term_in_weeks + term_in_days
            else cast(round(365 * (hubspot_months - floor(hubspot_months)) / 12) as integer)
        end as days_of_term
    from sold
),

-- HubSpot's amount is of one billing period. An open-ended line has that of one period too, or of a month where a period is shorter.
billed as (
    select
        *,
        case
            when not is_recurring then 1
            when months is null then greatest(1 / billing_months, 1)
            else cast(months as double) / billing_months
        end as periods
    from terms
)

select
    id as order_line_id,
    won_deal_id as order_id,
    won_deal_id as opportunity_id,
    hs_product_id as product_id,
    quantity,
    round(period_amount * periods, 4) as amount,
    {{ own_field('hubspot', 'order_lines.cost', 'round(unit_cost * coalesce(units, 1) * periods, 4)') }} as cost,
    case when is_recurring then 'recurring' else 'one_time' end as line_type,
    case when is_recurring and months is null then greatest(cast(billing_months as integer), 1) end as billing_months,
    {%- set term_months = 'case when is_recurring and is_whole_months then cast(hubspot_months as integer) end' %}
    {{ own_field('hubspot', 'order_lines.term_months', term_months) }} as term_months,
    {{ own_field('hubspot', 'order_lines.starts_on', 'case when is_recurring then first_day end') }} as starts_on,
    {%- set last_day = 'cast(first_day + to_months(months_of_term) + to_days(days_of_term) as date) - 1' %}
    {{ own_field('hubspot', 'order_lines.ends_on', 'case when is_recurring and not is_whole_months then ' ~ last_day ~ ' end') }} as ends_on
from billed
