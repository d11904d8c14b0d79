{{ config(materialized='table') }}

select
    connector,
    entity,
    source_file,
    column_name,
    column_use
from {{ source('files', 'source_columns') }}
