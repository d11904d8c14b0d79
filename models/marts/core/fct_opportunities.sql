select
    opportunities.*,
    segments.segment_id,
    pursuits.pursuit_id is not null as is_first_deal
from {{ ref('int_opportunities') }} as opportunities
left join {{ ref('int_accounts__segments') }} as segments on opportunities.account_id = segments.account_id
left join {{ ref('int_pursuits') }} as pursuits on opportunities.opportunity_id = pursuits.pursuit_id
