with

accounts as (
    select * from {{ ref('dim_accounts') }}
),

conditions as (
    select
        assumptions.profile,
        assumptions.believed_by,
        assumptions.note,
        trim(concat(assumptions.attribute, ' ', replace(assumptions.operator, '_', ' '), ' ', coalesce(assumptions.value, ''))) as condition,
        case when trait_names.attribute is null then assumptions.attribute end as unknown_attribute
    from {{ ref('checked_assumptions') }} as assumptions
    left join {{ ref('int_trait_names') }} as trait_names on assumptions.attribute = trait_names.attribute
),

profiles as (
    select
        profile,
        min(believed_by) as believed_by,
        min(note) as note,
        min(unknown_attribute) as unknown_attribute,
        {{ joined_text('condition', ' and ') }} as definition
    from conditions
    group by profile
),

profile_accounts as (
    select
        members.profile,
        members.account_id,
        accounts.tier,
        accounts.is_customer
    from {{ ref('int_accounts__assumptions') }} as members
    inner join accounts on members.account_id = accounts.account_id
),

tier_counts as (
    select
        profile,
        count(*) as account_count,
        count(*) filter (where is_customer) as customer_count,
        count(*) filter (where tier = 'tier_1') as tier_1_account_count,
        count(*) filter (where tier = 'tier_2') as tier_2_account_count,
        count(*) filter (where tier = 'tier_3') as tier_3_account_count,
        count(*) filter (where tier = 'deprioritized') as deprioritized_account_count
    from profile_accounts
    group by profile
),

tier_1 as (
    select count(*) as account_count
    from accounts
    where tier = 'tier_1'
),

-- Of the other team: Marketing for Sales, Sales for Marketing, both for a success story.
other_team_accounts as (
    select distinct
        profiles.profile,
        profile_accounts.account_id
    from profiles
    inner join profiles as others
        on
            profiles.believed_by <> others.believed_by
            and others.believed_by in ('Sales', 'Marketing')
    left join profile_accounts on others.profile = profile_accounts.profile
),

other_team_counts as (
    select
        other_team_accounts.profile,
        count(other_team_accounts.account_id) as account_count,
        count(profile_accounts.account_id) as shared_account_count
    from other_team_accounts
    left join profile_accounts
        on
            other_team_accounts.profile = profile_accounts.profile
            and other_team_accounts.account_id = profile_accounts.account_id
    group by other_team_accounts.profile
),

counted as (
    select
        profiles.*,
        coalesce(tier_counts.account_count, 0) as account_count,
        coalesce(tier_counts.customer_count, 0) as customer_count,
        coalesce(tier_counts.tier_1_account_count, 0) as tier_1_account_count,
        coalesce(tier_counts.tier_2_account_count, 0) as tier_2_account_count,
        coalesce(tier_counts.tier_3_account_count, 0) as tier_3_account_count,
        coalesce(tier_counts.deprioritized_account_count, 0) as deprioritized_account_count,
        tier_1.account_count as all_tier_1_account_count,
        other_team_counts.account_count as other_team_account_count,
        other_team_counts.shared_account_count
    from profiles
    cross join tier_1
    left join tier_counts on profiles.profile = tier_counts.profile
    left join other_team_counts on profiles.profile = other_team_counts.profile
)

select
    counted.profile,
    counted.believed_by,
    counted.definition,
    counted.note,
    case
        when counted.unknown_attribute is not null then 'not enough evidence'
        when figures.lift_low > 1 then 'supported'
        when figures.lift_high < 1 then 'contradicted'
        else 'not enough evidence'
    end as verdict,
    case
        when counted.unknown_attribute is not null then concat('no account has ever had the trait ', counted.unknown_attribute)
        when figures.lift_low is null then 'too few first deals inside or outside'
        when figures.lift_low <= 1 and figures.lift_high >= 1 then 'the interval of the lift holds 1'
    end as reason,
    cast(counted.account_count as integer) as account_count,
    cast(counted.customer_count as integer) as customer_count,
    cast(coalesce(figures.pursuits, 0) as integer) as pursuit_count,
    cast(coalesce(figures.wins, 0) as integer) as won_pursuit_count,
    cast({{ if_deals_are_lost('figures.win_rate') }} as double) as win_rate,
    cast({{ if_deals_are_lost('figures.win_rate_low') }} as double) as win_rate_low,
    cast({{ if_deals_are_lost('figures.win_rate_high') }} as double) as win_rate_high,
    cast(figures.value_per_pursuit as double) as value_per_pursuit,
    cast(figures.lift as double) as lift,
    cast(figures.lift_low as double) as lift_low,
    cast(figures.lift_high as double) as lift_high,
    counted.tier_1_account_count / cast(nullif(counted.account_count, 0) as double) as tier_1_share,
    counted.tier_2_account_count / cast(nullif(counted.account_count, 0) as double) as tier_2_share,
    counted.tier_3_account_count / cast(nullif(counted.account_count, 0) as double) as tier_3_share,
    counted.deprioritized_account_count / cast(nullif(counted.account_count, 0) as double) as deprioritized_share,
    counted.tier_1_account_count / cast(nullif(counted.all_tier_1_account_count, 0) as double) as share_of_tier_1,
    cast(counted.other_team_account_count as integer) as other_team_account_count,
    cast(counted.shared_account_count as integer) as shared_account_count,
    counted.shared_account_count / cast(nullif(counted.account_count, 0) as double) as shared_share,
    counted.shared_account_count
    / cast(nullif(counted.account_count + counted.other_team_account_count - counted.shared_account_count, 0) as double) as jaccard
from counted
left join {{ ref('learned_assumption_figures') }} as figures on counted.profile = figures.profile
