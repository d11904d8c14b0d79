select * from {{ ref('int_accounts__firmographic_traits') }}
union all
select * from {{ ref('int_accounts__engagement_traits') }}
union all
select * from {{ ref('int_accounts__further_traits') }}
