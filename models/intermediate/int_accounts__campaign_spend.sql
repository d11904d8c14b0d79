{{ config(post_hook="{{ stop_where_sums_do_not_fit('amount') }}") }}

with

as_of as (
    select * from {{ ref('int_as_of') }}
),

rates as (
    select * from {{ ref('int_exchange_rates__by_day') }}
),

-- A day's rate is the one that is valid when the day begins.
spend as (
    select
        spend.campaign_id,
        {{ first_of_month('spend.spent_on') }} as spend_month,
        {{ cycle_of('spend.spent_on') }} as cycle_start,
        case
            when rates.exchange_rate is null then spend.amount
            else {{ at_rate('spend.amount', 'rates.exchange_rate') }}
        end as amount
    from {{ ref('input_campaign_spend') }} as spend
    cross join as_of
    left join rates
        on
            spend.currency_code = rates.currency_code
            and spend.spent_on = rates.day
            and rates.valid_from <= spend.spent_on
            and (rates.valid_until is null or rates.valid_until > spend.spent_on)
    where spend.spent_on <= as_of.as_of
),

months as (
    select
        campaign_id,
        spend_month,
        cycle_start,
        cast(sum(amount) as decimal(24, 4)) as amount
    from spend
    group by campaign_id, spend_month, cycle_start
),

members as (
    select distinct
        campaign_id,
        account_id
    from {{ ref('int_campaign_members') }}
),

numbered as (
    select
        campaign_id,
        account_id,
        row_number() over (partition by campaign_id order by account_id) as member_number,
        count(*) over (partition by campaign_id) as member_count
    from members
),

-- Whole numbers: cents, and the ten-thousandths that are left of the last one.
counted as (
    select
        months.*,
        numbered.account_id,
        numbered.member_number,
        coalesce(numbered.member_count, 1) as member_count,
        cast(sign(months.amount) as integer) as direction,
        mod(cast(abs(months.amount) * 10000 as bigint), 100) as remainder,
        cast(floor(abs(months.amount) * 100) as bigint) as cents
    from months
    left join numbered on months.campaign_id = numbered.campaign_id
),

-- Equal shares have equal remainders: the cents that are left go to the first accounts, what is below a cent to the next.
shared as (
    select
        *,
        mod(cents, member_count) as cents_left,
        cast((cents - mod(cents, member_count)) / member_count as bigint) as whole_cents
    from counted
)

select
    shared.campaign_id,
    shared.account_id,
    campaigns.channel,
    case
        when shared.account_id is null then shared.amount
        else cast(
            shared.direction
            * (
                100 * (shared.whole_cents + case when shared.member_number <= shared.cents_left then 1 else 0 end)
                + case when shared.member_number = shared.cents_left + 1 then shared.remainder else 0 end
            ) * 0.0001
            as decimal(18, 4)
        )
    end as amount,
    shared.spend_month,
    shared.cycle_start
from shared
left join {{ ref('input_campaigns') }} as campaigns on shared.campaign_id = campaigns.campaign_id
