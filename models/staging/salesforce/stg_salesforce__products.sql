with

products as (
    select
        id,
        name,
        {{ own_field('salesforce', 'products.product_family', 'family') }} as family,
        {{ own_field('salesforce', 'products.product_type') }} as own_type
    from {{ source('salesforce', 'product2') }}
    where not is_deleted
)

select
    id as product_id,
    name as product_name,
    family as product_family,
    case
        when own_type is not null then own_type
        when regexp_matches(lower(family), 'service|training|onboarding') then 'service'
        when regexp_matches(lower(family), 'add[- ]?on') then 'add_on'
    end as product_type
from products
