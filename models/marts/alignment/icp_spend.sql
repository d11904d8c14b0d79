with

cycles as (
    select * from {{ ref('int_cycles__versions') }}
),

entries as (
    select * from {{ ref('int_stage_entries__by_cycle') }}
),

spend as (
    select * from {{ ref('int_accounts__campaign_spend_by_cycle') }}
),

-- A win follows from what led to its opportunity.
results as (
    select
        entries.stage,
        entries.record_id,
        entries.account_id,
        entries.tier,
        entries.cycle_start,
        coalesce(opportunities.entered_at, entries.entered_at) as opened_at
    from entries
    left join entries as opportunities
        on
            entries.record_id = opportunities.record_id
            and opportunities.stage = 'opportunity'
    where entries.stage in ('opportunity', 'won')
),

-- The last campaign that the account was added to before.
touched as (
    select
        results.stage,
        results.record_id,
        coalesce(members.channel, 'unknown') as channel,
        row_number() over (
            partition by results.stage, results.record_id
            order by members.added_at desc, members.campaign_id asc
        ) as recency
    from results
    inner join {{ ref('int_campaign_members') }} as members
        on
            results.account_id = members.account_id
            and results.opened_at >= members.added_at
),

figures as (
    select
        cycle_start,
        tier,
        channel,
        account_id,
        amount,
        cast(null as string) as stage
    from spend
    union all
    select
        results.cycle_start,
        results.tier,
        coalesce(touched.channel, 'none') as channel,
        cast(null as string) as account_id,
        cast(0 as decimal(18, 4)) as amount,
        results.stage
    from results
    left join touched
        on
            results.stage = touched.stage
            and results.record_id = touched.record_id
            and touched.recency = 1
    where (select count(*) > 0 from spend)
),

counted as (
    select
        cycle_start,
        tier,
        channel,
        count(distinct account_id) as account_count,
        sum(amount) as spend,
        count(*) filter (where stage = 'opportunity') as opportunity_count,
        count(*) filter (where stage = 'won') as win_count
    from figures
    group by cycle_start, tier, channel
),

totals as (
    select
        *,
        sum(spend) over (partition by cycle_start) as spend_total
    from counted
)

select
    totals.cycle_start,
    cycles.cycle_end,
    totals.tier,
    totals.channel,
    cycles.is_finished,
    cast(totals.account_count as integer) as account_count,
    cast(totals.spend as decimal(18, 4)) as spend,
    cast(totals.spend_total as decimal(18, 4)) as spend_total,
    cast(totals.spend as double) / nullif(cast(totals.spend_total as double), 0) as spend_share,
    cast(totals.opportunity_count as integer) as opportunity_count,
    cast(totals.spend as double) / nullif(totals.opportunity_count, 0) as cost_per_opportunity,
    cast(totals.win_count as integer) as win_count,
    cast(totals.spend as double) / nullif(totals.win_count, 0) as cost_per_win
from totals
inner join cycles on totals.cycle_start = cycles.cycle_start
