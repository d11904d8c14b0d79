with

segments as (
    select
        figures.*,
        versions.adoption_number,
        versions.tier_by_figures,
        versions.override_reason,
        versions.is_tier_overridden,
        case when versions.adoption_number is null then 'learned' else 'adopted' end as status
    from {{ ref('learned_segments_in_force') }} as figures
    inner join {{ ref('int_icp_versions__segments') }} as versions
        on
            figures.segment_id = versions.segment_id
            and versions.is_in_force
),

orders as (
    select
        *,
        order_type <> 'credit' as is_purchase
    from {{ ref('fct_orders') }}
),

-- What an adopted segment was chosen on does not test it: these pursuits were closed later.
new_pursuit_counts as (
    select
        pursuits.segment_id,
        count(*) as new_pursuit_count
    from {{ ref('int_pursuits__segments') }} as pursuits
    inner join {{ ref('int_icp_versions') }} as versions on pursuits.closed_at >= {{ add_days('versions.learned_as_of', 1) }}
    where
        versions.is_in_force
        and pursuits.is_sampled
    group by pursuits.segment_id
),

account_counts as (
    select
        segment_id,
        count(*) as account_count,
        count(*) filter (where is_customer) as customer_count
    from {{ ref('dim_accounts') }}
    group by segment_id
),

opportunity_counts as (
    select
        segment_id,
        count(*) as opportunity_count,
        count(*) filter (where is_closed) as closed_opportunity_count,
        count(*) filter (where is_won) as won_opportunity_count,
        count(days_to_close) filter (where is_won) as won_with_dates_count,
        median(days_to_close) filter (where is_won) as median_days_to_close
    from {{ ref('fct_opportunities') }}
    group by segment_id
),

order_figures as (
    select
        segment_id,
        count(*) filter (where is_purchase) as order_count,
        sum(net_amount) as net_amount,
        sum(margin_amount) as margin_amount,
        count(margin_amount) as order_with_margin_count,
        cast(sum(annual_contract_value) filter (where is_purchase) as double)
        / nullif(count(annual_contract_value) filter (where is_purchase), 0) as average_annual_contract_value,
        cast(sum(total_contract_value) filter (where is_purchase) as double)
        / nullif(count(total_contract_value) filter (where is_purchase), 0) as average_total_contract_value,
        count(*) filter (where is_purchase and is_multi_year) / nullif(cast(count(*) filter (where is_purchase) as double), 0) as multi_year_share,
        count(*) filter (where is_purchase and has_add_on) / nullif(cast(count(*) filter (where is_purchase) as double), 0) as add_on_share
    from orders
    group by segment_id
)

select
    segments.segment_id,
    segments.segment_name,
    segments.definition,
    segments.tier,
    segments.status,
    segments.tier_by_figures,
    segments.measured_tier,
    segments.override_reason,
    segments.evidence,
    coalesce((select max(value_basis) from {{ ref('int_pursuits') }}), 'net_amount') as value_basis,
    segments.is_tier_overridden,
    segments.adoption_number,
    cast(coalesce(account_counts.account_count, 0) as integer) as account_count,
    cast(coalesce(account_counts.customer_count, 0) as integer) as customer_count,
    cast(coalesce(order_figures.order_count, 0) as integer) as order_count,
    cast(coalesce(opportunity_counts.opportunity_count, 0) as integer) as opportunity_count,
    cast(segments.pursuits as integer) as pursuit_count,
    cast(segments.wins as integer) as won_pursuit_count,
    cast(coalesce(new_pursuit_counts.new_pursuit_count, 0) as integer) as new_pursuit_count,
    cast({{ if_deals_are_lost('segments.win_rate') }} as double) as win_rate,
    cast({{ if_deals_are_lost('segments.win_rate_low') }} as double) as win_rate_low,
    cast({{ if_deals_are_lost('segments.win_rate_high') }} as double) as win_rate_high,
    cast(coalesce(opportunity_counts.closed_opportunity_count, 0) as integer) as closed_opportunity_count,
    case
        when (select bool_or(is_closed and not is_won) from {{ ref('int_opportunities') }})
            then opportunity_counts.won_opportunity_count / nullif(cast(opportunity_counts.closed_opportunity_count as double), 0)
    end as win_rate_all,
    cast(segments.value_per_pursuit as double) as value_per_pursuit,
    cast(segments.observed_value_per_pursuit as double) as observed_value_per_pursuit,
    cast(segments.lift as double) as lift,
    cast(segments.lift_low as double) as lift_low,
    cast(segments.lift_high as double) as lift_high,
    cast(opportunity_counts.median_days_to_close as double) as median_days_to_close,
    cast(coalesce(opportunity_counts.won_with_dates_count, 0) as integer) as won_with_dates_count,
    cast(coalesce(order_figures.net_amount, 0) as decimal(18, 4)) as net_amount,
    cast(order_figures.margin_amount as decimal(18, 4)) as margin_amount,
    cast(coalesce(order_figures.order_with_margin_count, 0) as integer) as order_with_margin_count,
    cast(order_figures.average_annual_contract_value as double) as average_annual_contract_value,
    cast(order_figures.average_total_contract_value as double) as average_total_contract_value,
    cast(order_figures.multi_year_share as double) as multi_year_share,
    cast(order_figures.add_on_share as double) as add_on_share,
    cast(coalesce(retention.retention_customer_count, 0) as integer) as retention_customer_count,
    retention.customer_retention,
    retention.gross_revenue_retention,
    retention.net_revenue_retention,
    cast(coalesce(retention.starting_mrr_customer_count, 0) as integer) as starting_mrr_customer_count,
    retention.gross_revenue_retention_low,
    retention.gross_revenue_retention_high,
    retention.net_revenue_retention_low,
    retention.net_revenue_retention_high
from segments
left join new_pursuit_counts on segments.segment_id = new_pursuit_counts.segment_id
left join account_counts on segments.segment_id = account_counts.segment_id
left join opportunity_counts on segments.segment_id = opportunity_counts.segment_id
left join order_figures on segments.segment_id = order_figures.segment_id
left join {{ ref('int_segments__retention') }} as retention on segments.segment_id = retention.segment_id
