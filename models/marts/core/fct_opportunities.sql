select
    opportunities.*,
    segments.segment_id
from {{ ref('int_opportunities') }} as opportunities
left join {{ ref('int_accounts__segments') }} as segments on opportunities.account_id = segments.account_id
