with

assumptions as (
    select * from {{ ref('checked_assumptions') }}
),

members as (
    select * from {{ ref('int_accounts__assumptions') }}
),

accounts as (
    select * from {{ ref('dim_accounts') }}
),

trait_names as (
    select * from {{ ref('int_trait_names') }}
),

profiles as (
    select
        assumptions.profile,
        min(assumptions.believed_by) as believed_by,
        min(assumptions.note) as note,
        min(case when trait_names.attribute is null then assumptions.attribute end) as unknown_attribute
    from assumptions
    left join trait_names on assumptions.attribute = trait_names.attribute
    group by assumptions.profile
),

conditions as (
    select
        profile,
        trim(concat(attribute, ' ', replace(operator, '_', ' '), ' ', coalesce(value, ''))) as condition
    from assumptions
),

definitions as (
    select
        profile,
        {{ joined_text('condition', ' and ') }} as definition
    from conditions
    group by profile
),

tier_counts as (
    select
        members.profile,
        count(*) as account_count,
        count(*) filter (where accounts.is_customer) as customer_count,
        count(*) filter (where accounts.tier = 'tier_1') as tier_1_account_count,
        count(*) filter (where accounts.tier = 'tier_2') as tier_2_account_count,
        count(*) filter (where accounts.tier = 'tier_3') as tier_3_account_count,
        count(*) filter (where accounts.tier = 'deprioritized') as deprioritized_account_count
    from members
    inner join accounts on members.account_id = accounts.account_id
    group by members.profile
),

tier_1 as (
    select count(*) as account_count
    from accounts
    where tier = 'tier_1'
),

-- The other team: Marketing for Sales, Sales for Marketing, both for a success story.
opposites as (
    select
        profiles.profile,
        others.profile as other_profile
    from profiles
    inner join profiles as others
        on
            profiles.believed_by <> others.believed_by
            and others.believed_by in ('Sales', 'Marketing')
),

with_opposite as (
    select distinct profile from opposites
),

other_members as (
    select distinct
        opposites.profile,
        members.account_id
    from opposites
    inner join members on opposites.other_profile = members.profile
    inner join accounts on members.account_id = accounts.account_id
),

other_counts as (
    select
        other_members.profile,
        count(*) as account_count,
        count(members.account_id) as shared_account_count
    from other_members
    left join members
        on
            other_members.profile = members.profile
            and other_members.account_id = members.account_id
    group by other_members.profile
),

counted as (
    select
        profiles.*,
        definitions.definition,
        coalesce(tier_counts.account_count, 0) as account_count,
        coalesce(tier_counts.customer_count, 0) as customer_count,
        coalesce(tier_counts.tier_1_account_count, 0) as tier_1_account_count,
        coalesce(tier_counts.tier_2_account_count, 0) as tier_2_account_count,
        coalesce(tier_counts.tier_3_account_count, 0) as tier_3_account_count,
        coalesce(tier_counts.deprioritized_account_count, 0) as deprioritized_account_count,
        tier_1.account_count as all_tier_1_account_count,
        case when with_opposite.profile is not null then coalesce(other_counts.account_count, 0) end as other_team_account_count,
        case when with_opposite.profile is not null then coalesce(other_counts.shared_account_count, 0) end as shared_account_count
    from profiles
    cross join tier_1
    inner join definitions on profiles.profile = definitions.profile
    left join with_opposite on profiles.profile = with_opposite.profile
    left join tier_counts on profiles.profile = tier_counts.profile
    left join other_counts on profiles.profile = other_counts.profile
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
        when figures.lift_low is null then 'too few pursuits inside or outside'
        when figures.lift_low <= 1 and figures.lift_high >= 1 then 'the interval of the lift holds 1'
    end as reason,
    cast(counted.account_count as integer) as account_count,
    cast(counted.customer_count as integer) as customer_count,
    cast(coalesce(figures.pursuits, 0) as integer) as pursuit_count,
    cast(coalesce(figures.wins, 0) as integer) as won_pursuit_count,
    cast(figures.win_rate as double) as win_rate,
    cast(figures.win_rate_low as double) as win_rate_low,
    cast(figures.win_rate_high as double) as win_rate_high,
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
