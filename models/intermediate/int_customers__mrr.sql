select
    account_id,
    cohort_month,
    max_by(mrr, month) as current_mrr,
    max(mrr) as peak_mrr,
    max_by(is_active, month) as is_active,
    count(*) filter (where movement = 'expansion') as expansion_count,
    count(*) filter (where movement = 'contraction') as contraction_count,
    count(*) filter (where movement = 'churn') as churn_count,
    count(*) filter (where movement = 'reactivation') as reactivation_count
from {{ ref('int_accounts__monthly_activity') }}
group by account_id, cohort_month
