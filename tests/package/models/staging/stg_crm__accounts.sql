{{ config(materialized='table') }}

-- Names as this company likes them: the package matches them as it does the headers of files.
select
    account_id as "Account ID",
    * exclude (account_id),
    'EMEA desk' as "Sales Desk"
from {{ crm_export('accounts') }}
union all by name
select
    'TEST' as "Account ID",
    'Our own sandbox' as account_name
