{#-
    Tells the model published_marts, in variables of its session, where to publish, and how many data tests this run leaves out: then nothing is
    published, as it is not known to pass.
-#}
{% macro prepare_publishing() %}
    {%- if not execute -%} {{ return('') }} {%- endif -%}
    {%- set tests = graph.nodes.values() | selectattr('resource_type', 'equalto', 'test')
        | selectattr('package_name', 'equalto', 'icp_refinery') | map(attribute='unique_id') -%}
    {%- set left_out = tests | reject('in', selected_resources) | list | length -%}
    {%- if left_out and not var('publish_untested') -%}
        {%- do exceptions.warn("Nothing is published: this run leaves data tests out (" ~ left_out ~ "). `dbt build` runs them all.") -%}
    {%- endif -%}
    {{ say_folders() }}
    {{ statements([
        set_variable('marts_schema', built_relation('fct_orders').schema),
        set_variable('published_schema', this.schema),
        set_variable('left_out_tests', left_out),
    ]) }}
    {%- do adapter.dispatch('say_descriptions', 'icp_refinery')() -%}
{%- endmacro %}


{#- Stops the build where the model found that the published state must stay: the model left the sentence in a variable. -#}
{% macro say_why_not_published() %}
    {%- if execute -%}
        {%- set why = variable('not_published') -%}
        {%- if why -%} {{ exceptions.raise_compiler_error(why) }} {%- endif -%}
    {%- endif -%}
{%- endmacro %}


{#-
    Tells a Python model, in variables of its session, where the project, its target and what was published are. In the model's configuration
    they would be those of the last parse: of another folder, once the project has been moved.
-#}
{% macro say_folders() %}
    {%- set project = builtins.ref.config.project_root if is_installed() else flags.PROFILES_DIR -%}
    {%- set folders = {
        'project_folder': project,
        'target_folder': flags.TARGET_PATH or 'target',
        'published_folder': env_var('ICP_PUBLISHED', (project | string) ~ '/published'),
    } -%}
    {%- set said = [] -%}
    {%- for name, folder in folders.items() -%} {%- do said.append(set_variable(name, folder | string)) -%} {%- endfor %}
    {{ statements(said) }}
{%- endmacro %}
