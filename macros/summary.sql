{#- What a whole build made, and where: printed when it has passed. Which rules and expectations failed: printed always. -#}
{% macro summarize(results) %}
    {%- if not execute or flags.WHICH not in ['build', 'test'] or not is_asked_for() -%} {{ return('') }} {%- endif -%}
    {%- do say_which_rules_are_broken(results) -%}
    {%- if flags.WHICH == 'test' -%} {{ return('') }} {%- endif -%}
    {%- do say_which_expectations_failed(results) -%}
    {%- for result in results if result.status | string in ['error', 'fail', 'skipped', 'partial success'] -%}
        {{ return('') }}
    {%- endfor -%}
    {%- set built = results | map(attribute='node') | selectattr('package_name', 'equalto', 'icp_refinery') | map(attribute='name') | list -%}
    {%- if 'fct_customers' not in built or 'fct_orders' not in built or 'input_rejects' not in built -%} {{ return('') }} {%- endif -%}
    {%- set marts = graph.nodes.values() | selectattr('resource_type', 'equalto', 'model')
        | selectattr('package_name', 'equalto', 'icp_refinery') | selectattr('config.schema', 'equalto', 'marts') | map(attribute='name') | sort -%}
    {%- set query -%}
        select
            (select as_of from {{ built_relation('int_as_of') }}),
            (select count(*) from {{ built_relation('fct_orders') }}),
            (select count(*) from {{ built_relation('fct_customers') }}),
            (select coalesce(sum(net_amount), 0) from {{ built_relation('fct_orders') }}),
            (select coalesce(sum(current_mrr), 0) from {{ built_relation('fct_customers') }}),
            (select count(*) from {{ built_relation('input_rejects') }})
    {%- endset -%}
    {%- set row = run_query(query).rows[0] -%}
    {%- do print('') -%}
    {%- set places = [] -%}
    {%- for connector in var('connectors') -%}
        {%- do places.append({'files': var('files_dir'), 'relations': var('icp_inputs').values() | join(', '), 'sample': 'the demo company (seeds/sample)'}.get(connector, connector)) -%}
    {%- endfor -%}
    {%- do print('ICP Refinery: built as of ' ~ row[0] ~ ' from ' ~ places | join(' and ')) -%}
    {%- do print('  ' ~ '{:,}'.format(row[1]) ~ ' closed-won orders of ' ~ '{:,}'.format(row[2]) ~ ' customers, net '
        ~ '{:,.2f}'.format(row[3]) ~ ' ' ~ var('reporting_currency') ~ ', MRR now ' ~ '{:,.2f}'.format(row[4])) -%}
    {%- do print('  ' ~ '{:,}'.format(row[5]) ~ ' input rows rejected, each with its rule: ' ~ built_relation('input_rejects').schema ~ '.input_rejects') -%}
    {%- if 'rule_problems' in built -%}
        {%- set left_out = 'select sentence from ' ~ built_relation('rule_problems') ~ " where source = 'left_out' order by place" -%}
        {%- for row in run_query(left_out).rows -%} {%- do print('  ' ~ row[0]) -%} {%- endfor -%}
    {%- endif -%}
    {%- if 'icp_missing_inputs' in built -%}
        {%- set missing = 'select mart, reason from ' ~ built_relation('icp_missing_inputs') ~ ' order by mart, input' -%}
        {%- for row in run_query(missing).rows -%} {%- do print('  ' ~ row[0] ~ ': ' ~ row[1]) -%} {%- endfor -%}
    {%- endif -%}
    {%- do print('  marts in ' ~ adapter.dispatch('place_of_marts', 'icp_refinery')() ~ ', schema ' ~ built_relation('fct_orders').schema ~ ': ' ~ marts | join(', ')) -%}
    {%- if 'published_marts' in built -%}
        {%- set published = run_query('select max(folder) from ' ~ built_relation('published_marts')).rows[0][0] -%}
        {%- do print('  published: ' ~ (published or 'nothing, as data tests were left out')) -%}
    {%- endif -%}
    {{ return('') }}
{% endmacro %}


{#- A sentence for each rule that a test `column_rules` found broken. -#}
{% macro say_which_rules_are_broken(results) %}
    {%- for result in results if result.status | string == 'fail' and (result.node.test_metadata or {}).name == 'column_rules' -%}
        {%- for problem, row_count in run_query(result.node.compiled_code).rows -%}
            {%- do print(result.node.file_key_name.split('.')[-1] ~ ': ' ~ problem ~ ' (' ~ row_count ~ ')') -%}
        {%- endfor -%}
    {%- endfor -%}
{% endmacro %}


{% macro say_which_expectations_failed(results) %}
    {%- set consequences = {
        'no_critical_expectation_fails': ('critical', 'nothing is published, and what was published stays'),
        'no_expectation_warns': ('warning', 'published all the same'),
    } -%}
    {%- for result in results if result.node.name in consequences and result.status | string in ['fail', 'warn'] -%}
        {%- set severity, consequence = consequences[result.node.name] -%}
        {%- do print('Data that does not look like itself (' ~ consequence ~ '; docs/quality.md says what to do):') -%}
        {%- set query -%}
            select expectation, says, observed, expected
            from {{ built_relation('quality_expectations') }}
            where severity = '{{ severity }}' and not is_passed
            order by expectation
        {%- endset -%}
        {%- for row in run_query(query).rows -%}
            {%- do print('  ' ~ row[0] ~ ': expected that ' ~ row[1] ~ '; ' ~ row[2] ~ ', would pass: ' ~ row[3]) -%}
        {%- endfor -%}
    {%- endfor -%}
{% endmacro %}
