with

as_of as (
    select * from {{ ref('int_as_of') }}
),

cycles as (
    select * from {{ ref('int_cycles__versions') }}
),

first_cycle as (
    select min(cycle_start) as cycle_start
    from cycles
),

lifespans as (
    select * from {{ ref('int_accounts__lifespans') }}
),

segments as (
    select
        account_id,
        icp_version,
        tier in ('tier_1', 'tier_2') as is_ideal
    from {{ ref('int_accounts__segments_by_version') }}
),

memberships as (
    select
        members.campaign_id,
        resolved.resolved_account_id as account_id,
        {{ cycle_of('min(members.added_at)') }} as cycle_start
    from {{ ref('input_campaign_members') }} as members
    cross join as_of
    left join {{ ref('input_contacts') }} as contacts on members.contact_id = contacts.contact_id
    inner join {{ ref('int_accounts__resolved') }} as resolved
        on coalesce(members.account_id, contacts.account_id) = resolved.account_id
    where members.added_at < as_of.ends_at
    group by members.campaign_id, resolved.resolved_account_id
),

-- Whom Marketing targets: accounts that it adds to a campaign, and members of one on which money is spent.
targeted as (
    select
        account_id,
        cycle_start
    from memberships
    union
    select
        memberships.account_id,
        spend.cycle_start
    from {{ ref('int_accounts__campaign_spend') }} as spend
    inner join memberships
        on
            spend.campaign_id = memberships.campaign_id
            and spend.account_id = memberships.account_id
            and spend.cycle_start >= memberships.cycle_start
),

-- Whom Sales works: accounts with which it opened an opportunity.
worked as (
    select distinct
        account_id,
        {{ cycle_of('entered_at') }} as cycle_start
    from {{ ref('int_stage_entries') }}
    where stage = 'opportunity'
),

-- Prospects of a cycle exist at its end and were no customers when it began.
active as (
    select
        cycles.cycle_start,
        segments.is_ideal,
        targeted.account_id is not null as is_targeted,
        worked.account_id is not null as is_worked
    from targeted
    full outer join worked
        on
            targeted.account_id = worked.account_id
            and targeted.cycle_start = worked.cycle_start
    inner join cycles on coalesce(targeted.cycle_start, worked.cycle_start) = cycles.cycle_start
    inner join lifespans on coalesce(targeted.account_id, worked.account_id) = lifespans.account_id
    inner join segments
        on
            lifespans.account_id = segments.account_id
            and cycles.icp_version = segments.icp_version
    where
        coalesce(lifespans.exists_from < {{ add_days('cycles.cycle_end', 1) }}, true)
        and coalesce(lifespans.customer_from >= cycles.cycle_start, true)
),

-- An account is a prospect from the cycle in which it appears, and none from the one after its first order.
changes as (
    select
        lifespans.account_id,
        greatest({{ cycle_of('lifespans.exists_from') }}, first_cycle.cycle_start) as cycle_start,
        1 as prospect_change
    from lifespans
    cross join first_cycle
    union all
    select
        account_id,
        {{ add_cycles(cycle_of('customer_from'), '1') }} as cycle_start,
        -1 as prospect_change
    from lifespans
    where customer_from is not null
),

net_changes as (
    select
        segments.icp_version,
        changes.cycle_start,
        sum(changes.prospect_change) as prospect_change,
        sum(case when segments.is_ideal then changes.prospect_change else 0 end) as ideal_change
    from changes
    inner join segments on changes.account_id = segments.account_id
    group by segments.icp_version, changes.cycle_start
),

prospects as (
    select
        cycles.cycle_start,
        cycles.cycle_end,
        cycles.icp_version,
        cycles.adoption_number,
        cycles.is_finished,
        cycles.is_after_adoption,
        sum(net_changes.prospect_change) as prospect_count,
        sum(net_changes.ideal_change) as ideal_count
    from cycles
    inner join net_changes
        on
            cycles.icp_version = net_changes.icp_version
            and cycles.cycle_start >= net_changes.cycle_start
    group by
        cycles.cycle_start,
        cycles.cycle_end,
        cycles.icp_version,
        cycles.adoption_number,
        cycles.is_finished,
        cycles.is_after_adoption
),

active_counts as (
    select
        cycle_start,
        count(*) filter (where is_targeted) as targeted_count,
        count(*) filter (where is_worked) as worked_count,
        count(*) filter (where is_targeted and is_worked) as targeted_and_worked_count,
        count(*) filter (where is_targeted and is_ideal) as targeted_and_ideal_count,
        count(*) filter (where is_worked and is_ideal) as worked_and_ideal_count
    from active
    group by cycle_start
),

recorded as (
    select
        (select count(*) from targeted) > 0 as has_marketing,
        (select count(*) from worked) > 0 as has_sales
),

pairs as (
    select
        'marketing_sales' as pair,
        has_marketing and has_sales as is_recorded
    from recorded
    union all
    select
        'marketing_icp' as pair,
        has_marketing as is_recorded
    from recorded
    union all
    select
        'sales_icp' as pair,
        has_sales as is_recorded
    from recorded
),

counted as (
    select
        prospects.cycle_start,
        prospects.cycle_end,
        prospects.icp_version,
        prospects.adoption_number,
        prospects.is_finished,
        prospects.is_after_adoption,
        pairs.pair,
        prospects.prospect_count,
        case pairs.pair
            when 'sales_icp' then coalesce(active_counts.worked_count, 0)
            else coalesce(active_counts.targeted_count, 0)
        end as first_count,
        case pairs.pair
            when 'marketing_sales' then coalesce(active_counts.worked_count, 0)
            else prospects.ideal_count
        end as second_count,
        coalesce(case pairs.pair
            when 'marketing_sales' then active_counts.targeted_and_worked_count
            when 'marketing_icp' then active_counts.targeted_and_ideal_count
            when 'sales_icp' then active_counts.worked_and_ideal_count
        end, 0) as both_count
    from prospects
    cross join pairs
    left join active_counts on prospects.cycle_start = active_counts.cycle_start
    where
        pairs.is_recorded
        and prospects.prospect_count > 0
),

compared as (
    select
        *,
        first_count + second_count - both_count as either_count,
        prospect_count - first_count - second_count + 2 * both_count as agreeing_count,
        first_count / cast(prospect_count as double) as first_share,
        second_count / cast(prospect_count as double) as second_share
    from counted
),

expected as (
    select
        *,
        agreeing_count / cast(prospect_count as double) as agreement,
        first_share * second_share + (1 - first_share) * (1 - second_share) as chance_agreement,
        first_count in (0, prospect_count) or second_count in (0, prospect_count) as is_constant
    from compared
)

select
    cycle_start,
    cycle_end,
    pair,
    icp_version,
    adoption_number,
    is_finished,
    is_after_adoption,
    cast(prospect_count as integer) as prospect_count,
    cast(first_count as integer) as first_count,
    cast(second_count as integer) as second_count,
    cast(both_count as integer) as both_count,
    cast(agreeing_count as integer) as agreeing_count,
    agreement,
    {{ wilson_low('agreeing_count', 'prospect_count') }} as agreement_low,
    {{ wilson_high('agreeing_count', 'prospect_count') }} as agreement_high,
    case when not is_constant then (agreement - chance_agreement) / (1 - chance_agreement) end as kappa,
    cast(either_count as integer) as either_count,
    both_count / nullif(cast(either_count as double), 0) as overlap,
    {{ wilson_low('both_count', 'either_count') }} as overlap_low,
    {{ wilson_high('both_count', 'either_count') }} as overlap_high
from expected
