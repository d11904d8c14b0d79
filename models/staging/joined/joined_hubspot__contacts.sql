select contacts.*
from {{ ref('stg_hubspot__contacts') }} as contacts
inner join {{ ref('joined_contacts') }} as joined on contacts.contact_id = joined.hubspot_contact_id
where joined.salesforce_contact_id is null
