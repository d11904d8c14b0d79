-- The floor of the benchmark: customers, MRR movements and cohorts from clean Parquet in one script, with no input layer, no
-- rejects, no tests and no columns beyond the three marts' own. __FOLDER__ is filled in by run.py.

create temp table as_of as
select cast(max(happened_at) as date) as day, cast(date_trunc('month', max(happened_at)) as date) as month
from (
    select max(closed_at) as happened_at from '__FOLDER__/opportunities.parquet' where is_closed
    union all select max(closed_at) from '__FOLDER__/orders.parquet' where order_status <> 'open'
    union all select max(occurred_at) from '__FOLDER__/engagements.parquet'
    union all select max(entered_at) from '__FOLDER__/opportunity_stages.parquet'
);

create temp table orders as
select
    orders.order_id, coalesce(accounts.merged_into_account_id, orders.account_id) as account_id, replaces_order_id, closed_at,
    orders.amount, orders.starts_on as given_start, coalesce(orders.starts_on, cast(closed_at as date)) as starts_on,
    ends_on, term_months, terminated_on, coalesce(currency_code, 'USD') as currency_code
from '__FOLDER__/orders.parquet' as orders
join '__FOLDER__/accounts.parquet' as accounts using (account_id)
where order_status = 'closed_won' and closed_at < (select day + interval 1 day from as_of);

create temp table lines as
with
rates as (select currency_code, valid_from, rate from '__FOLDER__/exchange_rates.parquet' where currency_code <> 'USD'),
rated as (
    select orders.*, coalesce(rates.rate, 1) as rate
    from orders asof left join rates on orders.currency_code = rates.currency_code and orders.closed_at >= rates.valid_from
)
select
    lines.order_line_id, lines.order_id, rated.account_id, coalesce(lines.product_id, '') as product_id, products.product_type,
    lines.amount as amount_in_currency, cast(lines.amount * rated.rate as decimal(18, 4)) as amount,
    cast(lines.cost * rated.rate as decimal(18, 4)) as cost,
    rated.rate, rated.currency_code, rated.closed_at, rated.given_start, rated.replaces_order_id, rated.terminated_on,
    coalesce(lines.starts_on, rated.starts_on) as starts_on,
    coalesce(
        lines.ends_on, rated.ends_on,
        cast(coalesce(lines.starts_on, rated.starts_on) + to_months(cast(rated.term_months as integer)) - interval 1 day as date)
    ) as signed_end,
    lines.amount >= 0 and signed_end is not null
    and coalesce(lines.line_type = 'recurring', products.product_type is distinct from 'service') as is_contract
from (
    select order_line_id, order_id, product_id, line_type, amount, cost, starts_on, ends_on from '__FOLDER__/order_lines.parquet'
    union all
    select 'order-' || order_id, order_id, null, null, coalesce(amount, 0), null, null, null
    from orders anti join '__FOLDER__/order_lines.parquet' as given using (order_id)
) as lines
join rated using (order_id)
left join '__FOLDER__/products.parquet' as products using (product_id);

create temp table contracts as
select
    * exclude (terminated_on, is_contract),
    case when terminated_on < signed_end and terminated_on <= (select day from as_of) then terminated_on else signed_end end as ends_on,
    greatest(date_sub('month', starts_on, signed_end + 1), 1) as months
from lines where is_contract;

create temp table succession as
with
starts as (select order_id, min(starts_on) as first_start from contracts group by order_id),
named as (
    select newer.order_id, newer.replaces_order_id, greatest(coalesce(newer.given_start, first_start), first_start) as start_on
    from orders as newer join starts using (order_id)
    join orders as older on newer.replaces_order_id = older.order_id and newer.account_id = older.account_id
        and older.closed_at <= newer.closed_at
),
pairs as (
    select
        older.order_line_id as old_line, newer.order_line_id as new_line, newer.order_id as new_order, newer.starts_on as start_on,
        older.closed_at, newer.order_id = first_value(newer.order_id)
            over (partition by older.order_line_id order by newer.starts_on, newer.closed_at, newer.order_id) as is_first
    from contracts as older
    join contracts as newer
        on older.account_id = newer.account_id and older.product_id = newer.product_id and older.order_id <> newer.order_id
        and newer.starts_on between older.ends_on - 92 and older.ends_on + 30 and newer.signed_end > older.ends_on
        and (newer.closed_at > older.closed_at or (newer.closed_at = older.closed_at and newer.order_id > older.order_id))
    where older.order_id not in (select replaces_order_id from named) and newer.order_id not in (select order_id from named)
)
select old_line, new_line, start_on, closed_at, cast(null as boolean) as is_other_product from pairs where is_first
union all
select
    older.order_line_id as old_line, newer.order_line_id as new_line, named.start_on, older.closed_at,
    older.product_id <> newer.product_id as is_other_product
from named
join contracts as older on named.replaces_order_id = older.order_id
join contracts as newer on named.order_id = newer.order_id;

create temp table valued as
with recursive
links as (
    select new_line, arg_max(old_line, (closed_at, old_line)) as old_line
    from succession where is_other_product is null group by new_line
    union all
    select new_line, arg_min(old_line, (is_other_product, old_line)) as old_line
    from succession where is_other_product is not null group by new_line
),
foreign_lines as (select order_line_id, currency_code, rate from contracts where currency_code <> 'USD'),
chains as (
    select order_line_id, currency_code, rate from foreign_lines
    anti join (
        select new_line from links join foreign_lines as f on f.order_line_id = links.old_line
        join foreign_lines as g on g.order_line_id = links.new_line and f.currency_code = g.currency_code
    ) as chained on foreign_lines.order_line_id = chained.new_line
    union all
    select foreign_lines.order_line_id, foreign_lines.currency_code, chains.rate
    from chains join links on chains.order_line_id = links.old_line
    join foreign_lines on foreign_lines.order_line_id = links.new_line and foreign_lines.currency_code = chains.currency_code
),
superseded as (select old_line, min(start_on) as start_on from succession group by old_line)
select
    contracts.account_id,
    cast(cast(amount_in_currency * coalesce(chains.rate, contracts.rate) as decimal(18, 4)) / months as decimal(18, 4)) as mrr,
    cast(date_trunc('month', starts_on) as date) as first_month, starts_on,
    case when start_on <= ends_on + 30 then start_on - 1 else ends_on end as live_until,
    coalesce(start_on <= ends_on + 30, false) as is_superseded
from contracts
left join superseded on contracts.order_line_id = superseded.old_line
left join chains on contracts.order_line_id = chains.order_line_id;

create temp table activity as
with
live as (
    select
        account_id, mrr, first_month,
        case
            when live_until >= day then as_of.month
            when live_until = last_day(live_until) then cast(date_trunc('month', live_until) as date)
            else cast(date_trunc('month', live_until) - interval 1 month as date)
        end as covered,
        case when covered >= first_month then covered when not is_superseded then first_month end as last_month
    from valued, as_of
    where starts_on <= day and live_until >= starts_on
),
changes as (
    select account_id, first_month as month, mrr as mrr_change, 1 as live_change, 0 as bought from live where last_month is not null
    union all
    select account_id, cast(last_month + interval 1 month as date), -mrr, -1, 0 from live where last_month is not null
    union all
    select account_id, cast(date_trunc('month', closed_at) as date), 0, 0, 1 from lines where not is_contract and amount_in_currency >= 0
    union all
    select account_id, cast(date_trunc('month', closed_at) + interval 1 month as date), 0, 0, 0
    from lines where not is_contract and amount_in_currency >= 0
)
select
    account_id, month, sum(mrr_change) as mrr_change,
    sum(sum(mrr_change)) over history as mrr, max(bought) = 1 or sum(sum(live_change)) over history > 0 as is_active
from changes
where month <= (select month from as_of)
group by account_id, month
window history as (partition by account_id order by month);

create table mrr_movements as
select
    account_id, month, mrr_change, mrr,
    case
        when mrr = 0 then 'churn'
        when mrr = mrr_change and coalesce(max(mrr) over (partition by account_id order by month rows between unbounded preceding and 1 preceding), 0) = 0 then 'new'
        when mrr = mrr_change then 'reactivation' when mrr_change > 0 then 'expansion' else 'contraction'
    end as movement
from activity
qualify mrr_change <> 0;

create table customers as
select *
from (
    select account_id, count(distinct order_id) as order_count, sum(amount) as net_amount, min(closed_at) as first_order_at,
        case when count(*) filter (where amount > 0 and cost is null) = 0 then sum(amount) - coalesce(sum(cost), 0) end as margin_amount
    from lines group by account_id
)
left join (
    select account_id, min(month) filter (where is_active) as cohort_month, arg_max(mrr, month) as current_mrr
    from activity group by account_id
) using (account_id);

create table cohorts as
with
states as (
    select
        activity.account_id, cohort_month, month, cast(is_active as integer) as active, mrr,
        least(mrr, first_value(mrr) over history) as kept_mrr, month = cohort_month as is_start
    from activity join customers using (account_id)
    where month >= cohort_month
    window history as (partition by activity.account_id order by month)
),
changes as (
    select cohort_month, month, is_start, active - lag(active, 1, 0) over history as active_change, mrr,
        mrr - coalesce(lag(mrr) over history, 0) as mrr_change, kept_mrr - coalesce(lag(kept_mrr) over history, 0) as kept_change
    from states window history as (partition by account_id order by month)
),
months as (
    select cohort_month, month, sum(active_change) as active_change, sum(mrr_change) as mrr_change, sum(kept_change) as kept_change,
        count(*) filter (where is_start) as customers, sum(mrr) filter (where is_start) as starting_mrr
    from changes group by cohort_month, month
),
spine as (
    select cohort_month, cast(unnest(generate_series(cohort_month, as_of.month, interval 1 month)) as date) as month
    from (select distinct cohort_month from months), as_of
)
select
    cohort_month, date_diff('month', cohort_month, month) as months_since, sum(customers) over history as cohort_customers,
    sum(active_change) over history as retained_customers, sum(starting_mrr) over history as starting_mrr,
    sum(kept_change) over history as kept_mrr, sum(mrr_change) over history as retained_mrr
from spine left join months using (cohort_month, month)
window history as (partition by cohort_month order by month);
