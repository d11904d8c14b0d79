{#- Whether another project has installed this one as a package. -#}
{% macro is_installed() %}
    {{ return(project_name != 'icp_refinery') }}
{% endmacro %}


{#- Whether this run has to do with this project: in a host's project most runs do not. -#}
{% macro is_asked_for() %}
    {{ return(not is_installed() or '.icp_refinery.' in selected_resources | join(' ')) }}
{% endmacro %}


{#- The relation of one of this project's models, whatever its schema is called. -#}
{% macro built_relation(name) %}
    {%- set node = graph.nodes['model.icp_refinery.' ~ name] -%}
    {{ return(api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias)) }}
{% endmacro %}


{#- Stops a host's run where its profile lacks what this project needs, or a model of its own would be taken for one of these: one sentence. -#}
{% macro check_host() %}
    {%- if not is_installed() or not execute or not is_asked_for() -%} {{ return('') }} {%- endif -%}
    {%- set profile = " in the target " ~ target.name ~ " of profiles.yml (docs/package.md)." -%}
    {%- if not run_query("select 1 from duckdb_functions() where function_name = 'icp_refinery_version'").rows -%}
        {%- do stop("The plugin of icp_refinery is missing: write plugins: [{module: icp_refinery.dbt_plugin}]" ~ profile) -%}
    {%- endif -%}
    {%- set installed = run_query("select icp_refinery_version()").rows[0][0] -%}
    {%- set needed = builtins.ref.config.load_dependencies()['icp_refinery'].version -%}
    {%- if installed != needed -%}
        {%- do stop("The dbt package icp_refinery is " ~ needed ~ ", its Python package " ~ installed ~ ": install the same of both (docs/package.md).") -%}
    {%- endif -%}
    {%- if run_query("select current_setting('TimeZone')").rows[0][0] not in ['UTC', 'Etc/UTC'] -%}
        {%- do stop("Times are read as UTC: write settings: {TimeZone: UTC}" ~ profile) -%}
    {%- endif -%}
    {%- for node in graph.nodes.values() if node.package_name == 'icp_refinery' and node.resource_type == 'model' -%}
        {%- for parent in node.depends_on.nodes if not may_read_the_host(node) and parent.split('.')[1] != 'icp_refinery' -%}
            {%- do stop("Both this project and icp_refinery have a model " ~ parent.split('.')[2] ~ ", and dbt takes this project's for both: write"
                ~ " flags: {require_ref_searches_node_package_before_root: true} in dbt_project.yml.") -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return('') }}
{% endmacro %}


{#- Whether a model reads what `icp_inputs` names. -#}
{% macro may_read_the_host(node) %}
    {{ return(node.name.startswith('stg_relations__') or node.name.startswith('stg_people__') or node.name == 'input_source_columns') }}
{% endmacro %}
