{{ config(materialized='table') }}

select
    connector,
    entity,
    source_file,
    column_name,
    column_use
from {{ source('files', 'source_columns') }}
{% if 'relations' in var('connectors') -%} {{ relation_columns() }} {%- endif %}
