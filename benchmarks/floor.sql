-- The floor of the benchmark: orders with bundles, contracts, MRR movements, cohorts and customers from clean Parquet in one script, by the
-- definitions of the input contract. No input layer, no rejects, no tests, no columns beyond what the five marts are compared by.
-- __FOLDER__ is filled in by run.py.

create macro per_month(amount, months) as cast(
    (cast(amount * 10000 as bigint) * 2 + months - mod(cast(amount * 10000 as bigint) * 2 + months, 2 * months)) // (2 * months) * 0.0001
    as decimal(18, 4)
);
create macro at_rate(amount, rate) as cast(cast(amount as decimal(24, 4)) * rate as decimal(18, 4));
create macro complete_months(first_day, last_day) as greatest(date_sub('month', first_day, last_day + 1), 1);
create macro after_months(first_day, months) as cast(first_day + to_months(cast(months as integer)) - interval 1 day as date);

create temp table as_of as
select cast(max(happened_at) as date) as day, cast(date_trunc('month', max(happened_at)) as date) as month
from (
    select max(closed_at) as happened_at from '__FOLDER__/opportunities.parquet' where is_closed
    union all select max(closed_at) from '__FOLDER__/orders.parquet' where order_status <> 'open'
    union all select max(occurred_at) from '__FOLDER__/engagements.parquet'
    union all select max(entered_at) from '__FOLDER__/opportunity_stages.parquet'
);

create temp table sold as
with
rates as (
    select currency_code, valid_from, cast(rate as decimal(18, 10)) as rate
    from '__FOLDER__/exchange_rates.parquet' where currency_code <> 'USD'
),
won as (
    select
        order_id, coalesce(merged_into_account_id, account_id) as account_id, opportunity_id, replaces_order_id,
        coalesce(currency_code, 'USD') as currency_code, amount, term_months, starts_on as given_start,
        coalesce(starts_on, cast(closed_at as date)) as starts_on, ends_on,
        case when terminated_on <= (select day from as_of) then terminated_on end as terminated_on, closed_at
    from '__FOLDER__/orders.parquet' join '__FOLDER__/accounts.parquet' using (account_id)
    where order_status = 'closed_won' and closed_at < (select day + interval 1 day from as_of)
)
select won.*, coalesce(rate, 1) as rate
from won asof left join rates on won.currency_code = rates.currency_code and closed_at >= valid_from;

create temp table lines as
select
    order_line_id, order_id, account_id, coalesce(product_id, '') as product_id, lines.amount as amount_in_currency, currency_code, rate,
    at_rate(lines.amount, rate) as amount, at_rate(cost, rate) as cost, billing_months, closed_at, terminated_on,
    coalesce(lines.starts_on, sold.starts_on) as starts_on,
    coalesce(
        lines.ends_on, after_months(coalesce(lines.starts_on, sold.starts_on), lines.term_months), sold.ends_on,
        after_months(coalesce(lines.starts_on, sold.starts_on), sold.term_months)
    ) as signed_end,
    lines.amount >= 0 and case
        when line_type = 'recurring' then coalesce(signed_end, lines.starts_on, given_start) is not null
        else line_type is null and signed_end is not null and product_type is distinct from 'service'
    end as is_contract
from (
    select
        order_line_id, order_id, product_id, line_type, amount, cost, starts_on, ends_on, billing_months, term_months
    from (
        -- The file may lack these two columns.
        select null::bigint as billing_months, null::bigint as term_months where false
        union all by name
        select * from '__FOLDER__/order_lines.parquet'
    )
    union all
    select 'order-' || order_id, order_id, null, null, amount, null, null, null, null, null
    from sold anti join '__FOLDER__/order_lines.parquet' as given using (order_id)
) as lines
join sold using (order_id)
left join '__FOLDER__/products.parquet' using (product_id);

create temp table signed as
select
    * exclude (terminated_on, is_contract),
    case when terminated_on < signed_end then terminated_on else coalesce(signed_end, terminated_on) end as ends_on,
    case when signed_end is null then coalesce(billing_months, 1) else complete_months(starts_on, signed_end) end as months
from lines where is_contract;

create temp table replacements as
with named as (
    select
        newer.order_id, newer.replaces_order_id,
        greatest(coalesce(newer.given_start, first_start, newer.starts_on), coalesce(first_start, newer.starts_on)) as start_on
    from sold as newer
    join sold as older on newer.replaces_order_id = older.order_id and newer.account_id = older.account_id
        and (older.closed_at < newer.closed_at
            or (older.closed_at = newer.closed_at and older.replaces_order_id is distinct from newer.order_id))
    left join (select order_id, min(starts_on) as first_start from signed group by order_id) as starts on newer.order_id = starts.order_id
)
select *, row_number() over (partition by replaces_order_id order by start_on, order_id) = 1 as is_first from named;

-- One line renews one line, the nearest pair of all first.
create temp table renewals as
with recursive
pairs as (
    select
        older.order_line_id as old_line, newer.order_line_id as new_line, newer.starts_on as start_on, newer.order_id as new_order,
        row_number() over (
            partition by older.account_id, older.product_id
            order by abs(older.ends_on - newer.starts_on), newer.starts_on, newer.closed_at, new_line, older.starts_on, old_line
        ) as place,
        count(*) over (partition by old_line) = 1 and count(*) over (partition by new_line) = 1 as is_only
    from signed as older
    join signed as newer
        on older.account_id = newer.account_id and older.product_id = newer.product_id and older.order_id <> newer.order_id
        and newer.starts_on between older.ends_on - 92 and older.ends_on + 30
        and (newer.signed_end > older.ends_on or newer.signed_end is null) and (newer.ends_on is null or newer.ends_on >= newer.starts_on)
        and (newer.closed_at > older.closed_at or (newer.closed_at = older.closed_at and newer.order_id > older.order_id))
    where older.order_id not in (select replaces_order_id from replacements)
        and newer.order_id not in (select order_id from replacements)
        and (newer.starts_on >= older.ends_on - 31 or newer.order_id in (
            select order_id from sold join '__FOLDER__/opportunities.parquet' using (opportunity_id) where opportunity_type = 'renewal'
        ))
),
rounds as (
    select *, false as is_taken from pairs where not is_only
    union all
    select * exclude (is_taken, is_mutual, is_decided), is_mutual as is_taken
    from (
        select *, max(is_mutual) over (partition by old_line) or max(is_mutual) over (partition by new_line) as is_decided
        from (
            select *, place = min(place) over (partition by old_line) and place = min(place) over (partition by new_line) as is_mutual
            from rounds where not is_taken
        )
    )
    where is_mutual or not is_decided
)
select old_line, new_line, start_on, new_order from pairs where is_only
union all select old_line, new_line, start_on, new_order from rounds where is_taken;

-- A renewal keeps the exchange rate of the first contract of its chain.
create temp table links as
select new_line, old_line from renewals
union all
select newer.order_line_id as new_line, arg_min(older.order_line_id, (older.product_id <> newer.product_id, older.order_line_id)) as old_line
from replacements join signed as older on replaces_order_id = older.order_id join signed as newer on replacements.order_id = newer.order_id
group by newer.order_line_id;

create table contracts as
with recursive
foreign_lines as (
    select new.order_line_id, new.rate, old.order_line_id as old_line
    from signed as new left join links on new.order_line_id = links.new_line
    left join signed as old on links.old_line = old.order_line_id and old.currency_code = new.currency_code
    where new.currency_code <> 'USD'
),
chains as (
    select order_line_id, rate from foreign_lines where old_line is null
    union all
    select new.order_line_id, chains.rate from chains join foreign_lines as new on chains.order_line_id = new.old_line
),
valued as (
    select
        signed.*, links.old_line as renews_order_line_id,
        per_month(at_rate(amount_in_currency, coalesce(chains.rate, signed.rate)), months) as mrr,
        coalesce(renewals.start_on, replacements.start_on) as next_start,
        case when ends_on is null or next_start <= ends_on + 30 then next_start end as superseded_on,
        case when ends_on < starts_on then least(ends_on, superseded_on - 1) else coalesce(superseded_on - 1, ends_on, day) end as live_until,
        case
            when live_until >= day then month
            when live_until = last_day(live_until) then cast(date_trunc('month', live_until) as date)
            else cast(date_trunc('month', live_until) - interval 1 month as date)
        end as covered,
        cast(date_trunc('month', starts_on) as date) as first_month,
        case
            when starts_on > day or live_until < starts_on then null
            when covered >= first_month then covered
            when superseded_on is null then first_month
        end as last_live_month
    from signed
    cross join as_of
    left join links on signed.order_line_id = links.new_line
    left join renewals on signed.order_line_id = renewals.old_line
    left join replacements on signed.order_id = replaces_order_id and is_first
    left join chains on signed.order_line_id = chains.order_line_id
)
select
    order_line_id, order_id, account_id, nullif(product_id, '') as product_id, renews_order_line_id, mrr, starts_on, ends_on, signed_end,
    live_until, case when last_live_month is not null then first_month end as first_live_month, last_live_month, superseded_on
from valued;

create table orders as
with
bundles as (
    select order_id, string_agg(product_name, ' + ' order by product_name) as product_bundle
    from (select distinct order_id, product_name from lines join '__FOLDER__/products.parquet' using (product_id))
    group by order_id
),
amounts as (
    select
        order_id, count(*) = count(amount) and count(*) filter (where amount > 0) = 0 as is_credit, sum(amount) as net_amount,
        sum(greatest(amount, 0)) as total_contract_value,
        case when count(*) filter (where amount > 0 and cost is null) = 0 and count(cost) > 0 then sum(amount) - sum(cost) end as margin_amount
    from lines group by order_id
),
recurring as (
    select
        order_id, sum(mrr) filter (where greatest(coalesce(given_start, first_start), first_start) between starts_on and signed_end) as mrr,
        bool_or(renews_order_line_id is not null) as is_renewing
    from (
        select order_id, starts_on, coalesce(signed_end, date '9999-12-31') as signed_end, mrr, renews_order_line_id,
            min(starts_on) over (partition by order_id) as first_start
        from contracts
    ) join (select order_id, given_start from sold) using (order_id)
    group by order_id
)
select
    sold.order_id, sold.account_id, product_bundle, closed_at, is_credit,
    row_number() over (partition by sold.account_id, is_credit order by closed_at, sold.order_id) as order_number,
    case
        when is_credit then 'credit'
        when is_renewing or replacements.order_id is not null then 'renewal'
        when order_number = 1 then 'new_business'
        else 'expansion'
    end as order_type,
    cast(net_amount as decimal(18, 4)) as net_amount, cast(total_contract_value as decimal(18, 4)) as total_contract_value,
    cast(margin_amount as decimal(18, 4)) as margin_amount,
    cast(case when net_amount is not null then coalesce(recurring.mrr, 0) end as decimal(18, 4)) as monthly_recurring_revenue
from sold join amounts using (order_id) left join bundles using (order_id) left join recurring using (order_id)
left join replacements on sold.order_id = replacements.order_id;

create temp table activity as
with changes as (
    select account_id, first_live_month as month, mrr as mrr_change, 0 as bought from contracts where last_live_month is not null and mrr > 0
    union all
    select account_id, cast(last_live_month + interval 1 month as date), -mrr, 0 from contracts where last_live_month is not null and mrr > 0
    union all
    select account_id, cast(date_trunc('month', closed_at) as date), 0, 1 from lines where not is_contract and amount > 0
    union all
    select account_id, cast(date_trunc('month', closed_at) + interval 1 month as date), 0, 0 from lines where not is_contract and amount > 0
)
select
    account_id, month, cast(sum(mrr_change) as decimal(18, 4)) as mrr_change, cast(sum(sum(mrr_change)) over history as decimal(18, 4)) as mrr,
    max(bought) = 1 or mrr > 0 as is_active
from changes where month <= (select month from as_of)
group by account_id, month
window history as (partition by account_id order by month);

create table mrr_movements as
select
    account_id, month, mrr_change, mrr,
    case
        when mrr = 0 then 'churn'
        when mrr = mrr_change and coalesce(max(mrr) over (partition by account_id order by month rows between unbounded preceding and 1 preceding), 0) = 0
            then 'new'
        when mrr = mrr_change then 'reactivation'
        when mrr_change > 0 then 'expansion'
        else 'contraction'
    end as movement
from activity
qualify mrr_change <> 0;

create table customers as
select *
from (
    select
        account_id, count(*) filter (where not is_credit) as order_count, cast(sum(net_amount) as decimal(18, 4)) as net_amount,
        cast(case
            when count(*) filter (where not is_credit and margin_amount is null) = 0 and count(margin_amount) > 0
                then sum(coalesce(margin_amount, net_amount))
        end as decimal(18, 4)) as margin_amount,
        coalesce(min(closed_at) filter (where not is_credit), min(closed_at)) as first_order_at
    from orders group by account_id
)
left join (
    select account_id, min(month) filter (where is_active) as cohort_month, arg_max(mrr, month) as current_mrr from activity group by account_id
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
