-- AdventureWorks' reseller sales as the entities of the input contract: one view per entity.
-- An entity or optional column that the source cannot fill is left out.

-- A reseller is known by its key, not by its name: two names are each shared by two resellers.
create view accounts as
select
    DimReseller.ResellerAlternateKey as account_id,
    DimReseller.ResellerName as account_name,
    DimReseller.NumberEmployees as employee_count,
    DimReseller.AnnualRevenue as annual_revenue,
    DimGeography.EnglishCountryRegionName as country,
    DimGeography.StateProvinceName as region,
from DimReseller
left join DimGeography on DimReseller.GeographyKey = DimGeography.GeographyKey
order by account_id;

-- Only what was known before a first order. FirstOrderYear, LastOrderYear, OrderFrequency and OrderMonth
-- describe the orders themselves: a profile learned from them would predict the outcome from the outcome.
create view account_attributes as
with resellers as (
    select
        DimReseller.ResellerAlternateKey as account_id,
        DimReseller.BusinessType as business_type,
        DimReseller.ProductLine as product_line,
        DimReseller.BankName as bank,
        cast(DimReseller.YearOpened as varchar) as year_opened,
        DimSalesTerritory.SalesTerritoryRegion as sales_territory,
    from DimReseller
    left join DimGeography on DimReseller.GeographyKey = DimGeography.GeographyKey
    left join DimSalesTerritory on DimGeography.SalesTerritoryKey = DimSalesTerritory.SalesTerritoryKey
)

select account_id, attribute, value,
from resellers
unpivot (value for attribute in (business_type, product_line, bank, year_opened, sales_territory))
order by account_id, attribute;

-- A row of DimProduct is a version. EndDate lies before StartDate in superseded rows: the latest start decides.
create view products as
with newest_versions as (
    select distinct on (ProductAlternateKey) *,
    from DimProduct
    order by ProductAlternateKey, StartDate desc nulls last, ProductKey desc
)

select
    newest_versions.ProductAlternateKey as product_id,
    newest_versions.EnglishProductName as product_name,
    DimProductCategory.EnglishProductCategoryName as product_family,
    case
        when DimProductCategory.EnglishProductCategoryName = 'Bikes' then 'core'
        when DimProductCategory.EnglishProductCategoryName is not null then 'add_on'
    end as product_type,
from newest_versions
left join DimProductSubcategory
    on newest_versions.ProductSubcategoryKey = DimProductSubcategory.ProductSubcategoryKey
left join DimProductCategory on DimProductSubcategory.ProductCategoryKey = DimProductCategory.ProductCategoryKey
order by product_id;

-- Each row of FactResellerSales is an invoiced line, so every order is won. It has no term: a transaction.
create view orders as
select distinct
    FactResellerSales.SalesOrderNumber as order_id,
    DimReseller.ResellerAlternateKey as account_id,
    'closed_won' as order_status,
    FactResellerSales.OrderDate as closed_at,
from FactResellerSales
left join DimReseller on FactResellerSales.ResellerKey = DimReseller.ResellerKey
order by order_id;

-- The raw table has a CurrencyKey, but SalesAmount and TotalProductCost are in one currency already:
-- with a currency_code they would be converted a second time.
-- Many lines name a superseded product version: the alternate key leads to the product.
create view order_lines as
select
    FactResellerSales.SalesOrderNumber || '-' || FactResellerSales.SalesOrderLineNumber as order_line_id,
    FactResellerSales.SalesOrderNumber as order_id,
    DimProduct.ProductAlternateKey as product_id,
    FactResellerSales.OrderQuantity as quantity,
    FactResellerSales.SalesAmount as amount,
    FactResellerSales.TotalProductCost as cost,
from FactResellerSales
left join DimProduct on FactResellerSales.ProductKey = DimProduct.ProductKey
order by FactResellerSales.SalesOrderNumber, FactResellerSales.SalesOrderLineNumber;
