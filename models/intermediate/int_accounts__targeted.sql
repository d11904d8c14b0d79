with

members as (
    select distinct
        campaign_id,
        account_id,
        {{ cycle_of('added_at') }} as cycle_start
    from {{ ref('int_campaign_members') }}
)

select
    account_id,
    cycle_start
from members
union
select
    members.account_id,
    spend.cycle_start
from {{ ref('int_accounts__campaign_spend') }} as spend
inner join members
    on
        spend.campaign_id = members.campaign_id
        and spend.account_id = members.account_id
        and spend.cycle_start >= members.cycle_start
