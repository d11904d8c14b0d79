with

as_of as (
    select
        *,
        {{ add_months('as_of_month', -2) }} as recent_from
    from {{ ref('int_as_of') }}
),

accounts as (
    select * from {{ ref('dim_accounts') }}
),

segments as (
    select * from {{ ref('icp_segments') }}
),

targeted as (
    select
        account_id,
        max(added_at) as last_targeted_at
    from {{ ref('int_campaign_members') }}
    group by account_id
),

recent_spend as (
    select
        spend.account_id,
        sum(spend.amount) as spend
    from {{ ref('int_accounts__campaign_spend') }} as spend
    cross join as_of
    where spend.spend_month >= as_of.recent_from
    group by spend.account_id
),

worked as (
    select
        account_id,
        count(*) filter (where not is_closed) as open_opportunity_count,
        max(entered_at) as last_opened_at
    from {{ ref('int_stage_entries') }}
    where stage = 'opportunity'
    group by account_id
),

joined as (
    select
        accounts.account_id,
        accounts.account_name,
        accounts.segment_id,
        accounts.tier,
        accounts.is_customer,
        accounts.fit_score,
        accounts.engagement_score,
        coalesce(worked.open_opportunity_count, 0) as open_opportunity_count,
        coalesce(recent_spend.spend, 0) as spend,
        segments.value_per_pursuit,
        targeted.last_targeted_at,
        worked.last_opened_at,
        coalesce(recent_spend.spend, 0) > 0 or coalesce(targeted.last_targeted_at >= as_of.recent_from, false) as is_targeted,
        coalesce(worked.open_opportunity_count, 0) > 0 or coalesce(worked.last_opened_at >= as_of.recent_from, false) as is_worked
    from accounts
    cross join as_of
    left join segments on accounts.segment_id = segments.segment_id
    left join targeted on accounts.account_id = targeted.account_id
    left join recent_spend on accounts.account_id = recent_spend.account_id
    left join worked on accounts.account_id = worked.account_id
    -- Where one of the teams is not recorded, nothing can be said of what it does.
    where
        (select count(*) > 0 from targeted)
        and (select count(*) > 0 from worked)
),

judged as (
    select
        *,
        case
            when tier = 'deprioritized' and spend > 0 then 'deprioritized_costs_money'
            when not {{ is_prioritized('tier') }} or is_customer or (is_targeted and is_worked) then null
            when is_targeted then 'only_marketing'
            when is_worked then 'only_sales'
            else 'nobody'
        end as reason
    from joined
),

valued as (
    select
        *,
        cast(case when tier = 'deprioritized' then spend else value_per_pursuit end as decimal(18, 4)) as at_stake,
        -- First who fits best, of those that cost money who fits worst.
        case when tier = 'deprioritized' then -fit_score else fit_score end as fit_order
    from judged
    where reason is not null
)

select
    account_id,
    account_name,
    segment_id,
    tier,
    reason,
    is_customer,
    cast(
        row_number() over (order by at_stake desc nulls last, fit_order desc nulls last, spend desc, account_id asc) as integer
    ) as place,
    at_stake,
    fit_score,
    engagement_score,
    cast(spend as decimal(18, 4)) as spend,
    cast(open_opportunity_count as integer) as open_opportunity_count,
    last_targeted_at,
    last_opened_at
from valued
