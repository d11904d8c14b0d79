select
    opportunities.opportunity_id,
    opportunities.account_id,
    segments.segment_id,
    opportunities.opportunity_name,
    opportunities.opportunity_type,
    opportunities.stage,
    opportunities.lead_source,
    opportunities.currency_code,
    opportunities.is_closed,
    opportunities.is_won,
    opportunities.amount,
    opportunities.days_to_close,
    opportunities.created_at,
    opportunities.closed_at
from {{ ref('int_opportunities') }} as opportunities
left join {{ ref('int_accounts__segments') }} as segments on opportunities.account_id = segments.account_id
