"""What of a simulated company a Salesforce org can hold, as the input contract's entities.

A close date has no time, an order is not lost, a lead that nobody has converted has no account. Fivetran and Airbyte land an
org with Orders and several currencies; dlt loads neither, so its org has won opportunities only, in one currency.
"""

from icp_refinery.simulate.landed.database import Database
from icp_refinery.simulate.landed.tables import Rows

# Ids have 18 characters, and each of two that follow one another is the other in another case.
HELPERS = """
create macro percent_of(key, salt) as cast(hash(key || salt) % 100 as integer);
create macro nth_id(prefix, n) as prefix || format('{:011d}', n // 2) || case when n % 2 = 0 then 'QAAX' else 'qAAX' end;
create table keys as
    select '001' as prefix, account_id as key from company.accounts
    union all select '003', contact_id from company.contacts
    union all select '00Q', contact_id from company.contacts
    union all select '006', opportunity_id from company.opportunities
    union all select '006', order_id from company.orders where opportunity_id is null
    union all select '801', order_id from company.orders
    union all select '801', 'reduction of ' || order_id from company.orders
    union all select '800', order_id from company.orders
    union all select '802', order_line_id from company.order_lines
    union all select '802', order_id from company.orders
    union all select '01t', product_id from company.products
    union all select '00U', engagement_id from company.engagements
    union all select '00T', engagement_id from company.engagements
    union all select '701', campaign_id from company.campaigns;
create table ids as
    select prefix, key, nth_id(prefix, row_number() over (partition by prefix order by key)) as id from keys;
create macro id_of(the_prefix, the_key) as (select ids.id from ids where ids.prefix = the_prefix and ids.key = the_key);
create table people as
    select
        *,
        became_lead_at is not null
        and became_sql_at is null
        and (account_id is null or percent_of(contact_id, 'lead') < 40) as is_lead,
        became_sql_at is not null and became_lead_at is not null as is_converted
    from company.contacts;
create table person_ids as
    select contact_id as person, id_of(case when is_lead then '00Q' else '003' end, contact_id) as record from people;
create macro person_id(the_contact) as (select person_ids.record from person_ids where person_ids.person = the_contact);
create table sales as
    select
        *,
        id_of('006', coalesce(opportunity_id, order_id)) as deal,
        coalesce(starts_on, cast(closed_at as date)) as first_day
    from company.orders
    left join (
        select order_id, sum(amount) filter (where amount >= 0) as sold, sum(amount) filter (where amount < 0) as taken_back
        from company.order_lines
        group by order_id
    ) using (order_id);
"""

CANONICAL = {
    "accounts": """
        select
            id_of('001', account_id) as account_id,
            account_name,
            domain,
            id_of('001', parent_account_id) as parent_account_id,
            cast(null as varchar) as merged_into_account_id,
            industry,
            employee_count,
            annual_revenue,
            country,
            cast(null as varchar) as region,
            created_at
        from company.accounts
    """,
    "account_external_ids": "select account_id, 'salesforce' as system, account_id as external_id from canonical.accounts",
    "account_attributes": """
        select id_of('001', account_id) as account_id, attribute, value, cast(null as timestamp) as known_from
        from company.account_attributes
        where attribute in ('funding_stage', 'tech_stack', 'hiring_trend')
    """,
    "contacts": """
        select
            person_id(contact_id) as contact_id,
            case when not is_lead then id_of('001', account_id) end as account_id,
            email,
            job_title,
            lead_source,
            case when is_lead then became_lead_at else created_at end as created_at,
            case when is_lead or is_converted then became_lead_at end as became_lead_at,
            became_mql_at,
            case when is_converted then cast(cast(became_sql_at as date) as timestamp) end as became_sql_at
        from people
    """,
    "opportunities": """
        select
            id_of('006', opportunity_id) as opportunity_id,
            id_of('001', account_id) as account_id,
            opportunity_name,
            opportunity_type,
            stage,
            is_closed,
            is_won,
            amount,
            {currency} as currency_code,
            lead_source,
            created_at,
            case when is_closed then cast(cast(closed_at as date) as timestamp) end as closed_at
        from company.opportunities
    """,
    "products": """
        select
            id_of('01t', product_id) as product_id,
            product_name,
            case product_type when 'add_on' then 'Add-ons' else product_family end as product_family,
            nullif(product_type, 'core') as product_type
        from company.products
    """,
    "engagements": """
        select
            id_of(case when engagement_type in ('email', 'content') then '00T' else '00U' end, engagement_id) as engagement_id,
            case when is_lead is not true then id_of('001', engagements.account_id) end as account_id,
            person_id(engagements.contact_id) as contact_id,
            cast(null as varchar) as campaign_id,
            case engagement_type when 'email' then 'email' when 'content' then 'call' else 'meeting' end as engagement_type,
            topic,
            case
                when engagement_type in ('email', 'content') and percent_of(engagement_id, 'day') < 25
                    then cast(cast(occurred_at as date) as timestamp)
                else occurred_at
            end as occurred_at
        from company.engagements
        left join people on engagements.contact_id = people.contact_id
    """,
    "campaigns": """
        select id_of('701', campaign_id) as campaign_id, campaign_name, channel, started_on, ended_on from company.campaigns
    """,
    "campaign_members": """
        select
            id_of('701', campaign_id) as campaign_id,
            cast(null as varchar) as account_id,
            person_id(people.contact_id) as contact_id,
            min(added_at) as added_at,
            arg_min(responded, added_at) as responded
        from company.campaign_members as members
        inner join people on people.contact_id = coalesce(members.contact_id, replace(members.account_id, 'A', 'C') || '-0')
        group by campaign_id, people.contact_id
    """,
    "campaign_spend": """
        select
            id_of('701', campaign_id) as campaign_id,
            started_on as spent_on,
            sum(amount) as amount,
            {currency} as currency_code
        from company.campaign_spend
        inner join company.campaigns using (campaign_id)
        group by campaign_id, started_on, currency_code
    """,
}

WITH_ORDERS = {
    "opportunity_stages": """
        select id_of('006', opportunity_id) as opportunity_id, stage, stage_order, entered_at from company.opportunity_stages
    """,
    # Salesforce has no lost order. What a line takes back is an order of its own.
    "orders": """
        select
            id_of('801', order_id) as order_id,
            id_of('001', account_id) as account_id,
            id_of('006', opportunity_id) as opportunity_id,
            order_status,
            case when order_status = 'open' then cast(first_day as timestamp) else closed_at end as closed_at,
            coalesce(currency_code, 'USD') as currency_code,
            coalesce(sold, amount) as amount,
            first_day as starts_on,
            coalesce(ends_on, cast(first_day + to_months(cast(term_months as integer)) - to_days(1) as date)) as ends_on,
            cast(null as bigint) as term_months,
            terminated_on,
            id_of('801', replaces_order_id) as replaces_order_id
        from sales
        where order_status <> 'lost'
        union all
        select
            id_of('801', 'reduction of ' || order_id),
            id_of('001', account_id),
            null,
            'closed_won',
            closed_at,
            coalesce(currency_code, 'USD'),
            taken_back,
            cast(closed_at as date),
            null,
            null,
            null,
            null
        from sales
        where order_status <> 'lost' and taken_back is not null
    """,
    "order_lines": """
        select
            id_of('802', order_line_id) as order_line_id,
            id_of('801', case when amount < 0 then 'reduction of ' else '' end || order_id) as order_id,
            id_of('01t', coalesce(product_id, 'PLT')) as product_id,
            case when amount < 0 then -quantity else quantity end as quantity,
            amount,
            cast(null as decimal(18, 4)) as cost,
            case when product_id = 'TRN' then coalesce(line_type, 'one_time') else line_type end as line_type,
            starts_on,
            ends_on
        from company.order_lines
        semi join canonical.orders on id_of('801', order_lines.order_id) = orders.order_id
        union all
        select id_of('802', order_id), id_of('801', order_id), id_of('01t', 'PLT'), 1, amount, null, null, null, null
        from company.orders
        where order_status <> 'lost' and order_id not in (select order_id from company.order_lines)
    """,
    "exchange_rates": """
        select currency_code, valid_from, 1 / cast(cast(1 / rate as decimal(18, 6)) as double) as rate from company.exchange_rates
    """,
}

# Each order is a won opportunity, and its term stands in custom fields.
WITHOUT_ORDERS = {
    "opportunities": CANONICAL["opportunities"]
    + """
        union all
        select
            id_of('006', order_id),
            id_of('001', account_id),
            'Order ' || order_id,
            null,
            'Closed Won',
            true,
            true,
            coalesce(sold + coalesce(taken_back, 0), amount),
            {currency},
            null,
            closed_at - interval 3 day,
            cast(cast(closed_at as date) as timestamp)
        from sales
        where order_status = 'closed_won' and opportunity_id is null
    """,
    "orders": """
        select
            opportunities.opportunity_id as order_id,
            opportunities.account_id,
            opportunities.opportunity_id,
            'closed_won' as order_status,
            opportunities.closed_at,
            opportunities.currency_code,
            opportunities.amount,
            starts_on,
            ends_on,
            term_months,
            terminated_on,
            (select replaced.deal from sales as replaced where replaced.order_id = sales.replaces_order_id) as replaces_order_id
        from sales
        inner join canonical.opportunities on opportunities.opportunity_id = sales.deal
        where is_won and order_status = 'closed_won'
    """,
    "order_lines": """
        select
            id_of('802', order_line_id) as order_line_id,
            id_of('006', coalesce(opportunity_id, order_id)) as order_id,
            id_of('01t', coalesce(product_id, 'PLT')) as product_id,
            case when order_lines.amount < 0 then -quantity else quantity end as quantity,
            order_lines.amount,
            cast(null as decimal(18, 4)) as cost,
            case when product_id = 'TRN' then coalesce(line_type, 'one_time') else line_type end as line_type,
            order_lines.starts_on,
            cast(null as date) as ends_on
        from company.order_lines
        inner join company.orders using (order_id)
        where order_status = 'closed_won'
    """,
}


def canonical(company: Rows, loader: str) -> Rows:
    """The entities that the mapping must reproduce, from those of the simulated company."""
    with_orders = loader != "dlt"
    currency = "coalesce(currency_code, 'USD')" if with_orders else "cast(null as varchar)"
    queries = CANONICAL | (WITH_ORDERS if with_orders else WITHOUT_ORDERS)
    with Database() as database:
        database.add("company", company)
        database.run(HELPERS)
        database.run("create schema canonical")
        for entity, query in queries.items():
            database.run(f"create table canonical.{entity} as {query.format(currency=currency)}")
        return {entity: database.rows(f"canonical.{entity}") for entity in queries}
