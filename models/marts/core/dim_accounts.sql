select
    accounts.*,
    segments.segment_id,
    segments.tier,
    fit_scores.fit_score,
    fit_scores.reason_1,
    fit_scores.reason_2,
    fit_scores.reason_3,
    engagement_scores.engagement_score,
    {{ score_band('fit_scores.fit_score') }} as fit_band,
    {{ score_band('engagement_scores.engagement_score') }} as engagement_band,
    clusters.value_cluster
from {{ ref('int_accounts') }} as accounts
left join {{ ref('int_accounts__segments') }} as segments on accounts.account_id = segments.account_id
left join {{ ref('int_accounts__fit_scores') }} as fit_scores on accounts.account_id = fit_scores.account_id
left join {{ ref('int_accounts__engagement_scores') }} as engagement_scores on accounts.account_id = engagement_scores.account_id
left join {{ ref('int_customers__value_clusters') }} as clusters on accounts.account_id = clusters.account_id
