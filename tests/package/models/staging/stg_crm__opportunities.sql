{{ config(materialized='table') }}

-- Typed, as in most projects.
select
    * replace (
        cast(amount as decimal(18, 4)) as amount,
        cast(is_won as boolean) as is_won,
        cast(is_closed as boolean) as is_closed,
        cast(created_at as timestamp) as created_at,
        cast(closed_at as timestamp) as closed_at
    )
from {{ crm_export('opportunities') }}
