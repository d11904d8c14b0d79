-- No tier_1 below 56.4 (the score of a lift of 1.25), no tier_2 below 50, no deprioritized account above 50; so every tier_1 or tier_2
-- account scores at least as high as every deprioritized one.
select
    account_id,
    tier,
    fit_score
from {{ ref('dim_accounts') }}
where
    (tier = 'tier_1' and fit_score < 56.4)
    or (tier = 'tier_2' and fit_score < 50)
    or (tier = 'deprioritized' and fit_score > 50)
