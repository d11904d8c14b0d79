{{ config(materialized='table') }}

{% for found in source_columns() -%}
select
    cast({{ text_literal(found.connector) }} as varchar) as connector,
    cast({{ text_literal(found.entity) }} as varchar) as entity,
    cast({{ text_literal(found.file) }} as varchar) as source_file,
    cast({{ text_literal(found.column) }} as varchar) as column_name,
    cast({{ text_literal(found.use) }} as varchar) as column_use
{% if not loop.last %}union all{% endif %}
{% endfor %}
