-- A campaign's own cost, without that of its children.
select
    id as campaign_id,
    startdate as spent_on,
    actualcost as amount,
    currencyisocode as currency_code
from {{ source('salesforce', 'campaign') }}
where not is_deleted and actualcost is not null
