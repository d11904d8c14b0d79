with

cycles as (
    select * from {{ ref('int_cycles__versions') }}
),

targeted as (
    select * from {{ ref('int_accounts__targeted') }}
),

-- Whom Sales works: accounts with which it opened an opportunity.
worked as (
    select distinct
        account_id,
        {{ cycle_of('entered_at') }} as cycle_start
    from {{ ref('int_stage_entries') }}
    where stage = 'opportunity'
),

-- Prospects of a cycle exist at its end and were not customers when it began.
active_prospects as (
    select
        cycles.cycle_start,
        {{ is_prioritized('segments.tier') }} as is_ideal,
        targeted.account_id is not null as is_targeted,
        worked.account_id is not null as is_worked
    from targeted
    full outer join worked
        on
            targeted.account_id = worked.account_id
            and targeted.cycle_start = worked.cycle_start
    inner join cycles on coalesce(targeted.cycle_start, worked.cycle_start) = cycles.cycle_start
    inner join {{ ref('int_accounts__lifespans') }} as lifespans
        on coalesce(targeted.account_id, worked.account_id) = lifespans.account_id
    inner join {{ ref('int_accounts__segments_by_version') }} as segments
        on
            lifespans.account_id = segments.account_id
            and cycles.icp_version = segments.icp_version
    where
        coalesce(lifespans.exists_from < {{ add_days('cycles.cycle_end', 1) }}, true)
        and coalesce(lifespans.customer_from >= cycles.cycle_start, true)
),

cycle_counts as (
    select
        cycles.*,
        prospects.prospect_count,
        prospects.ideal_count,
        count(*) filter (where active.is_targeted) as targeted_count,
        count(*) filter (where active.is_worked) as worked_count,
        count(*) filter (where active.is_targeted and active.is_worked) as targeted_and_worked_count,
        count(*) filter (where active.is_targeted and active.is_ideal) as targeted_and_ideal_count,
        count(*) filter (where active.is_worked and active.is_ideal) as worked_and_ideal_count
    from cycles
    inner join {{ ref('int_cycles__prospects') }} as prospects on cycles.cycle_start = prospects.cycle_start
    left join active_prospects as active on cycles.cycle_start = active.cycle_start
    where prospects.prospect_count > 0
    group by all
),

-- A team that is not recorded agrees with nobody.
pair_counts as (
    select
        *,
        'marketing_sales' as pair,
        targeted_count as first_count,
        worked_count as second_count,
        targeted_and_worked_count as both_count
    from cycle_counts
    where (select count(*) > 0 from targeted) and (select count(*) > 0 from worked)
    union all
    select
        *,
        'marketing_icp' as pair,
        targeted_count as first_count,
        ideal_count as second_count,
        targeted_and_ideal_count as both_count
    from cycle_counts
    where (select count(*) > 0 from targeted)
    union all
    select
        *,
        'sales_icp' as pair,
        worked_count as first_count,
        ideal_count as second_count,
        worked_and_ideal_count as both_count
    from cycle_counts
    where (select count(*) > 0 from worked)
),

pair_shares as (
    select
        *,
        first_count + second_count - both_count as either_count,
        prospect_count - first_count - second_count + 2 * both_count as agreeing_count,
        first_count / cast(prospect_count as double) as first_share,
        second_count / cast(prospect_count as double) as second_share
    from pair_counts
),

pair_agreements as (
    select
        *,
        agreeing_count / cast(prospect_count as double) as agreement,
        first_share * second_share + (1 - first_share) * (1 - second_share) as chance_agreement,
        first_count in (0, prospect_count) or second_count in (0, prospect_count) as is_constant
    from pair_shares
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
from pair_agreements
