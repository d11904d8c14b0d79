select
    account_id,
    movement,
    previous_mrr,
    mrr_change,
    mrr,
    month
from {{ ref('int_accounts__monthly_activity') }}
where movement is not null
