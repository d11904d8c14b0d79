select * from {{ ref('int_contracts') }}
