{{ config(materialized='table') }}
{#- What each connector found: one row for every column that the contract knows or the source has. -#}
{%- set rows = [] -%}
{%- for connector in var('connectors') -%}
    {%- for entity in contract() -%}
        {%- set source = source_of(connector, entity) -%}
        {%- set known = contract_columns(entity) | map(attribute='name') | list -%}
        {%- for column in known -%}
            {%- do rows.append([
                connector, entity, source.file if source else none, column,
                'missing' if not source or column not in source.columns else 'used'
            ]) -%}
        {%- endfor -%}
        {%- for column in (source.columns if source else []) if column not in known -%}
            {%- do rows.append([connector, entity, source.file, column, 'ignored']) -%}
        {%- endfor -%}
    {%- endfor -%}
{%- endfor %}

select
    connector,
    entity,
    source_file,
    column_name,
    column_use
from (
    values
    {% for row in rows -%}
    (
        {%- for value in row -%}
        {{ 'cast(null as varchar)' if value is none else text_literal(value) }}{{ ', ' if not loop.last }}
        {%- endfor -%}
    ){{ ',' if not loop.last }}
    {% endfor %}
) as found (connector, entity, source_file, column_name, column_use)
