{#- The rows of an entity as the connectors that are switched on stage them, without those that another connector owns (`owner_of`). -#}
{% macro staged(entity) %}
    {%- for connector in owners(entity) %}
    select * from {{ ref(('joined_' if is_joined(connector, entity) else 'stg_') ~ connector ~ '__' ~ entity) }}
    {% if not loop.last %}union all{% endif %}
    {%- else %}
    select
        {%- for column in contract_columns(entity) %}
        cast(null as string) as {{ column.name }}{{ ',' if not loop.last }}
        {%- endfor %}
    where false
    {%- endfor %}
{% endmacro %}


{#- Whether both tools are on, and an entity of one of them is staged again with what the other knows (models/staging/joined). -#}
{% macro is_joined(connector, entity) %}
    {%- set joined = {'hubspot': ['accounts', 'account_external_ids', 'contacts', 'engagements'], 'salesforce': ['contacts']} -%}
    {{ return(landed_tools() | length == 2 and entity in joined.get(connector, [])) }}
{% endmacro %}


{#- The connectors whose rows of an entity count. Stages go with their opportunities, lines with their orders. -#}
{% macro owners(entity) %}
    {%- set owner = var('owner_of').get({'opportunity_stages': 'opportunities', 'order_lines': 'orders'}.get(entity, entity), known_connectors()) -%}
    {%- set owners = [] -%}
    {%- for connector in var('connectors') if connector in known_connectors() and connector in ([owner] if owner is string else owner) -%}
        {%- set entities = landed_entities(connector) if connector in landed_tools() else var('icp_inputs') if connector == 'relations' else contract() -%}
        {%- if entity in entities -%} {%- do owners.append(connector) -%} {%- endif -%}
    {%- endfor -%}
    {{ return(owners) }}
{% endmacro %}


{#-
    The rows of an entity with `row_fault`, what a row breaks by itself (see input_rejects), or null. `key` is the column that identifies a row;
    without one, a row is identified by all that it holds. A large relation is streamed and never held: its keys are read first, as hashes, and
    only rows whose hash comes again are compared with each other.
-#}
{% macro check_rows(entity, key=none) %}
    {%- set rows_read = ref('input_' ~ entity ~ '__read') -%}
    {%- set id = key or (contract_columns(entity) | first).name -%}
    select
        *,
        case
            when duplicate_rule = 'exact_duplicate' then {{ fault('exact_duplicate', id) }}
            when duplicate_rule = 'conflicting_duplicate' then {{ fault('conflicting_duplicate', id) }}
            {%- for column in contract_columns(entity) if column.required %}
            when {{ column.name }} is null and not {{ is_unreadable(column, entity) }} then {{ fault('missing_value', column.name) }}
            {%- endfor %}
            {%- for column in contract_columns(entity) if not column.droppable and breaks(column) %}
            when {{ breaks(column, entity) }} then {{ fault_of(column) }}
            {%- endfor %}
        end as row_fault
    from (
        {%- if key %}
        with repeated as (
            select {{ row_hash(key) }} as key_hash
            from {{ rows_read }}
            where {{ key }} is not null
            group by {{ row_hash(key) }}
            having count(*) > 1
        )

        select
            rows_read.*,
            cast(null as string) as duplicate_rule
        from {{ rows_read }} as rows_read
        anti join repeated on {{ row_hash('rows_read.' ~ key) }} = repeated.key_hash
        union all
        select
            rows_read.*,
            case
                when rows_read.{{ key }} is null then null
                when row_number() over (partition by rows_read.{{ key }}, raw order by rows_read.{{ key }}) > 1 then 'exact_duplicate'
                when min(raw) over (partition by rows_read.{{ key }}) <> max(raw) over (partition by rows_read.{{ key }})
                    then 'conflicting_duplicate'
            end as duplicate_rule
        from {{ rows_read }} as rows_read
        semi join repeated on {{ row_hash('rows_read.' ~ key) }} = repeated.key_hash
        {%- else %}
        select
            *,
            case when row_number() over (partition by raw order by raw) > 1 then 'exact_duplicate' end as duplicate_rule
        from {{ rows_read }}
        {%- endif %}
    )
{% endmacro %}


{#- A broken rule, with the column and the value that broke it. -#}
{% macro fault(rule, column, value=none) -%}
    {{ struct_of([['rule', "'" ~ rule ~ "'"], ['column_name', "'" ~ column ~ "'"], ['column_value', 'cast(' ~ (value or 'raw.' ~ column) ~ ' as string)']]) }}
{%- endmacro %}


{#- When a value breaks the rule of its type: a condition, or nothing for types that take any value. -#}
{% macro breaks(column, entity=none) %}
    {%- if column.type in ['id', 'text', 'label', 'currency'] -%}
        {{ return('') }}
    {%- elif column.type == 'amount' -%}
        {{ return('(' ~ is_unreadable(column, entity) ~ ' or abs(' ~ column.name ~ ') >= 1000000000000)') }}
    {%- elif column.type in ['date', 'timestamp'] -%}
        {{ return('(' ~ is_unreadable(column, entity) ~ ' or ' ~ is_implausible(column.name) ~ ')') }}
    {%- endif -%}
    {{ return(is_unreadable(column, entity)) }}
{% endmacro %}


{#- Which rule that is. Sums keep four decimals in 18 digits: a trillion is more than can be added up. -#}
{% macro fault_of(column) -%}
    {%- set unreadable = 'not_allowed_value' if column.type == 'choice' else 'unreadable_value' -%}
    {%- if column.type in ['date', 'timestamp', 'amount'] -%}
    case
        when {{ column.name }} is null then {{ fault(unreadable, column.name) }}
        else {{ fault('not_allowed_value' if column.type == 'amount' else 'implausible_date', column.name) }}
    end
    {%- else -%}
    {{ fault(unreadable, column.name) }}
    {%- endif -%}
{%- endmacro %}


{#-
    Whether the source has a value for a column that cannot be read: a case, since `and` would look into every row. A placeholder for a missing
    product type is not a value.
-#}
{% macro is_unreadable(column, entity) -%}
    {%- if column.type in ['id', 'text', 'label', 'currency'] -%}
    false
    {%- else -%}
    case when {{ column.name }} is null then {{ (read_label if entity == 'products' else read_text)('raw.' ~ column.name) }} is not null else false end
    {%- endif -%}
{%- endmacro %}


{% macro is_implausible(time) -%}
    {{ time }} < date '1900-01-01' or {{ time }} >= date '2100-01-01'
{%- endmacro %}


{#-
    The last line of a checked entity: its columns, what rejects the row (rule, column, value, its id, and the row as it was read), and the values
    that were dropped from it. `also` is a column of the entity's own.
-#}
{% macro checked_rows(entity, id, also=none) %}
{%- set droppable = contract_columns(entity) | selectattr('droppable') | list -%}
{%- set losses = [] -%}
{%- for column in droppable -%} {%- do losses.append('case when ' ~ breaks(column, entity) ~ ' then ' ~ fault_of(column) ~ ' end') -%} {%- endfor %}
select
    {%- for column in contract_columns(entity) %}
    {%- if column.droppable and column.type in ['date', 'timestamp', 'amount'] %}
    case when not ({{ breaks(column, entity) }}) then {{ column.name }} end as {{ column.name }},
    {%- else %}
    {{ column.name }},
    {%- endif %}
    {%- endfor %}
    {{ also ~ ',' if also }}
    reject_fault.rule as reject_rule,
    reject_fault.column_name as reject_column,
    reject_fault.column_value as reject_value,
    {%- if droppable %}
    case
        when {{ loses_a_value(entity) }}
            then {{ list_of(losses) }}
    end as dropped_values,
    {%- endif %}
    case when reject_fault is not null{{ ' or ' ~ loses_a_value(entity) if droppable }} then {{ id }} end as row_id,
    case when reject_fault is not null then {{ raw_text('raw') }} end as raw_row
from checked
{% endmacro %}


{#- Whether a row has a value that is dropped. -#}
{% macro loses_a_value(entity) -%}
    ({% for column in contract_columns(entity) if column.droppable %}{{ breaks(column, entity) }}{{ ' or ' if not loop.last }}{% endfor %})
{%- endmacro %}


{#- A raw row as text. -#}
{% macro raw_text(raw) -%}
    {{ adapter.dispatch('raw_text', 'icp_refinery')(raw) }}
{%- endmacro %}


{#- Stops the build where no row of an entity that all else rests on was accepted: one sentence with the rules. -#}
{% macro stop_where_all_are_rejected(entity) %}
    {%- set query -%}
        select
            coalesce(reject_rule, '') as rule,
            count(*) as row_count,
            max(reject_column) as reject_column,
            max(reject_value) as reject_value
        from {{ ref('input_' ~ entity ~ '__checked') }}
        group by all
        order by row_count desc, rule
    {%- endset -%}
    {%- set rules = run_query(query).rows if execute and not var('check_only', false) else [] -%}
    {%- if rules and not rules | selectattr(0, 'equalto', '') | list -%}
        {%- set reasons = [] -%}
        {%- for rule, row_count, column, value in rules -%}
            {%- do reasons.append(row_count ~ ' ' ~ rule ~ ' (' ~ column ~ (' `' ~ value ~ '`' if value else '') ~ ')') -%}
        {%- endfor -%}
        {%- do stop('Every row of ' ~ entity ~ ' was rejected, so nothing can be built: ' ~ reasons | join(', ') ~ '.') -%}
    {%- endif -%}
{% endmacro %}
