"""The sObjects of a Salesforce org under their API names, made from the canonical entities; the mapping is never looked at."""

from icp_refinery.simulate.landed.database import Database
from icp_refinery.simulate.landed.tables import Row, Rows

# The columns of an sObject with their types, and its rows.
Object = tuple[dict[str, str], list[Row]]

ACCOUNT = """
    select
        account_id as "Id",
        merged_into_account_id is not null as "IsDeleted",
        merged_into_account_id as "MasterRecordId",
        account_name as "Name",
        case percent_of(account_id, 'site') % 3
            when 0 then 'https://www.' || domain || '/en?x=1' when 1 then 'HTTP://' || upper(domain) else domain
        end as "Website",
        parent_account_id as "ParentId",
        industry as "Industry",
        employee_count as "NumberOfEmployees",
        cast(annual_revenue as double) as "AnnualRevenue",
        country as "BillingCountry",
        percent_of(account_id, 'person') < 10 as "IsPersonAccount",
        'not this' as "Industry__c",
        funding_stage as "Funding_Stage__c",
        tech_stack as "Tech_Stack__c",
        hiring_trend as "Hiring_Trend__c",
        created_at as "CreatedDate"
    from canonical.accounts
    left join traits using (account_id)
"""
CONTACT = """
    select
        contact_id as "Id", false as "IsDeleted", account_id as "AccountId", email as "Email", job_title as "Title",
        lead_source as "LeadSource", became_mql_at as "MQL_Date__c", created_at as "CreatedDate"
    from canonical.contacts
    where contact_id like '003%'
"""
LEAD = """
    select
        '00Q' || substr(contact_id, 4) as "Id",
        false as "IsDeleted",
        contact_id like '003%' as "IsConverted",
        case when contact_id like '003%' then contact_id end as "ConvertedContactId",
        cast(became_sql_at as date) as "ConvertedDate",
        email as "Email",
        job_title as "Title",
        lead_source as "LeadSource",
        became_mql_at as "MQL_Date__c",
        became_lead_at as "CreatedDate"
    from canonical.contacts
    where became_lead_at is not null
"""
OPPORTUNITY = """
    select
        opportunities.opportunity_id as "Id",
        false as "IsDeleted",
        opportunities.account_id as "AccountId",
        opportunity_name as "Name",
        case opportunity_type
            when 'renewal' then ['Renewal', 'Existing Customer - Renewal']
            when 'expansion' then ['Existing Customer - Upgrade', 'Cross-Sell']
            when 'new_business' then ['New Customer', 'New Business']
        end[1 + percent_of(opportunities.opportunity_id, 'type') % 2] as "Type",
        stage as "StageName",
        is_closed as "IsClosed",
        is_won as "IsWon",
        cast(opportunities.amount as double) as "Amount",
        opportunities.currency_code as "CurrencyIsoCode",
        lead_source as "LeadSource",
        cast(coalesce(opportunities.closed_at, created_at + interval 90 day) as date) as "CloseDate",
        {terms}
        created_at as "CreatedDate"
    from canonical.opportunities
    left join canonical.orders on opportunities.opportunity_id = orders.order_id
"""
TERMS = """
        starts_on as "Term_Start__c", ends_on as "Term_End__c", term_months as "Term_Months__c",
        terminated_on as "Terminated_On__c", replaces_order_id as "Renews__c",
"""
ITEM = """
    select
        order_line_id as "Id", false as "IsDeleted", order_lines.order_id as "{parent}", product_id as "Product2Id",
        cast(quantity as double) as "Quantity", cast(amount as double) as "TotalPrice",
        cast(1.25 * amount as double) as "UnitPrice", 20.0 as "Discount", starts_on as "ServiceDate", {ends}
        case when product_name <> 'Training Day' then
            case line_type when 'recurring' then 'Recurring' when 'one_time' then 'One-Time' end
        end as "SBQQ__ChargeType__c"
    from canonical.order_lines
    inner join canonical.products using (product_id)
"""
OBJECTS = {
    "Account": ACCOUNT,
    "Contact": CONTACT,
    "Lead": LEAD,
    "Opportunity": OPPORTUNITY.format(terms=""),
    "OpportunityHistory": """
        select
            '008' || substr(opportunity_id, 4) || row_number() over (partition by opportunity_id order by entered_at) as "Id",
            false as "IsDeleted",
            opportunity_id as "OpportunityId",
            stage as "StageName",
            50.0 as "Amount",
            entered_at as "CreatedDate"
        from canonical.opportunity_stages
    """,
    # A stage's name in the API may differ from its label.
    "OpportunityStage": """
        select
            '01J' || lpad(cast(row_number() over (order by stage) as varchar), 15, '0') as "Id",
            case when length(stage) % 2 = 0 then stage else 'Api_' || stage end as "ApiName",
            case when length(stage) % 2 = 1 then stage else 'Label of ' || stage end as "MasterLabel",
            stage_order as "SortOrder"
        from (select distinct stage, stage_order from canonical.opportunity_stages)
    """,
    "Order": """
        select
            order_id as "Id",
            false as "IsDeleted",
            account_id as "AccountId",
            opportunity_id as "OpportunityId",
            '800' || substr(order_id, 4) as "ContractId",
            'Any label' as "Status",
            case order_status
                when 'open' then 'Draft' when 'cancelled' then 'Canceled'
                when 'closed_won' then case when percent_of(order_id, 'expired') < 20 then 'Expired' else 'Activated' end
            end as "StatusCode",
            case when order_status <> 'open' then closed_at end as "ActivatedDate",
            starts_on as "EffectiveDate",
            case when end_style = 0 then ends_on end as "EndDate",
            currency_code as "CurrencyIsoCode",
            cast(case when percent_of(order_id, 'sign') < 50 then abs(amount) else amount end as double) as "TotalAmount",
            amount < 0 as "IsReductionOrder",
            terminated_on as "Terminated_On__c",
            replaces_order_id as "Renews__c"
        from order_ends
    """,
    "OrderItem": ITEM.format(parent="OrderId", ends='ends_on as "EndDate",'),
    # An order ends on its own day, its contract's, or after its contract's months.
    "Contract": """
        select
            '800' || substr(order_id, 4) as "Id", false as "IsDeleted", account_id as "AccountId",
            case when end_style = 1 then ends_on end as "EndDate", case when end_style = 2 then months end as "ContractTerm"
        from order_ends
    """,
    "Product2": """
        select
            product_id as "Id", false as "IsDeleted", product_name as "Name", product_family as "Family",
            case when product_name = 'Training Day' then 'One-Time' end as "SBQQ__ChargeType__c"
        from canonical.products
    """,
    "Event": """
        select
            engagement_id as "Id",
            false as "IsDeleted",
            account_id as "AccountId",
            {who} as "WhoId",
            topic as "Subject",
            false as "IsChild",
            case when percent_of(engagement_id, 'time') < 80 then occurred_at end as "StartDateTime",
            occurred_at as "ActivityDateTime"
        from canonical.engagements
        where engagement_type = 'meeting'
    """,
    "Task": """
        select
            engagement_id as "Id",
            false as "IsDeleted",
            account_id as "AccountId",
            {who} as "WhoId",
            topic as "Subject",
            true as "IsClosed",
            case engagement_type when 'email' then 'Email' else 'Call' end as "TaskSubtype",
            case when occurred_at <> date_trunc('day', occurred_at) then occurred_at end as "CompletedDateTime",
            cast(occurred_at as date) as "ActivityDate"
        from canonical.engagements
        where engagement_type <> 'meeting'
    """,
    "Campaign": """
        select
            campaign_id as "Id",
            false as "IsDeleted",
            campaign_name as "Name",
            channel as "Type",
            started_on as "StartDate",
            ended_on as "EndDate",
            cast(amount as double) as "ActualCost",
            1e6 as "HierarchyActualCost",
            currency_code as "CurrencyIsoCode"
        from canonical.campaigns
        left join canonical.campaign_spend using (campaign_id)
    """,
    "CampaignMember": """
        select
            '00v' || format('{:015d}', row_number() over (order by campaign_id, contact_id)) as "Id",
            false as "IsDeleted",
            campaign_id as "CampaignId",
            case when who like '003%' then who end as "ContactId",
            case when who like '00Q%' then who end as "LeadId", responded as "HasResponded", added_at as "CreatedDate"
        from (select *, {who} as who from canonical.campaign_members)
    """,
    "DatedConversionRate": """
        select
            '04w' || format('{:015d}', row_number() over (order by currency_code, valid_from)) as "Id",
            currency_code as "IsoCode",
            valid_from as "StartDate", round(1 / rate, 6) as "ConversionRate"
        from canonical.exchange_rates
    """,
    "CurrencyType": """
        select
            '01L' || lpad(currency_code, 15, '0') as "Id",
            currency_code as "IsoCode",
            false as "IsActive",
            7.0 as "ConversionRate"
        from (select distinct currency_code from canonical.exchange_rates)
    """,
}
# Without Orders and several currencies, as dlt loads it.
FEW = {"Account", "Contact", "Lead", "Product2", "Event", "Task", "Campaign", "CampaignMember"}
FEW_OBJECTS = {name: query for name, query in OBJECTS.items() if name in FEW}
FEW_OBJECTS |= {
    "Opportunity": OPPORTUNITY.format(terms=TERMS),
    "OpportunityLineItem": ITEM.format(parent="OpportunityId", ends=""),
}

HELPERS = """
    create macro percent_of(key, salt) as cast(hash(key || salt) % 100 as integer);
    create table traits as pivot canonical.account_attributes on attribute in ('funding_stage', 'tech_stack', 'hiring_trend')
        using max(value) group by account_id;
    create table order_ends as
    select
        *,
        cast(datediff('month', starts_on, ends_on + 1) as bigint) as months,
        percent_of(order_id, 'end') % 3 as style,
        case
            when style = 2 and starts_on + to_months(cast(months as integer)) - to_days(1) <> ends_on then 1 else style
        end as end_style
    from canonical.orders;
    create table converted as select contact_id from canonical.contacts where became_sql_at is not null;
"""
# Half of what a converted lead did names the lead.
WHO = """
    case
        when percent_of(contact_id, 'who') < 50 and contact_id in (from converted) then '00Q' || substr(contact_id, 4)
        else contact_id
    end
"""


def sobjects(files: Rows, loader: str) -> dict[str, Object]:
    """The sObjects, by API name, of the org that holds these entities."""
    with Database() as database:
        database.add("canonical", files)
        database.run(HELPERS)
        queries = FEW_OBJECTS if loader == "dlt" else OBJECTS
        return {name: database.typed_rows(query.replace("{who}", WHO)) for name, query in queries.items()}
