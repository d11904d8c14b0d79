select
    opportunities.*,
    segments.segment_id,
    segments.segment_name,
    segments.tier,
    pursuits.pursuit_id is not null as is_first_deal,
    row_number() over (
        partition by opportunities.account_id
        order by opportunities.created_at, opportunities.opportunity_id
    ) = 1 as is_first_opportunity,
    {{ first_of_quarter('opportunities.closed_at') }} as closed_quarter
from {{ ref('int_opportunities') }} as opportunities
left join {{ ref('int_accounts__segments') }} as segments on opportunities.account_id = segments.account_id
left join {{ ref('int_pursuits') }} as pursuits on opportunities.opportunity_id = pursuits.pursuit_id
