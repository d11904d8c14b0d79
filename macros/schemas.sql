{#-
    Schemas carry their own name (`marts`), without the target's in front. In another dbt project its convention holds, with `icp_schema_prefix` in
    front of the name: dbt asks a package's own macro first, which therefore asks the host's.
-#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {%- set name = var('icp_schema_prefix') ~ custom_schema_name if custom_schema_name else none -%}
    {%- if project_name == 'icp_refinery' -%}
        {{ (name or target.schema) | trim }}
    {%- else -%}
        {{ (context.get(project_name) or {}).get('generate_schema_name', default__generate_schema_name)(name, node) | trim }}
    {%- endif -%}
{%- endmacro %}
