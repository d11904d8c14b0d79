{% macro crm_export(entity) -%}
read_csv('{{ env_var('CRM_EXPORTS') }}/{{ entity }}.csv', all_varchar = true, header = true, nullstr = '')
{%- endmacro %}
