{#-
    What mapping.yml in the folder of the `files` connector says (docs/exports.md): entity -> sources, each as macros/sources.sql reads it, but for
    `columns`, which are expressions over the file, and `conditions`, which a row must meet. Null without mapping.yml. Everything that is wrong
    with it stops the run, a sentence each. Every text of the mapping goes into SQL as a literal, and a header as the number of its column.
-#}
{% macro mapped_sources(found, is_checked=true) %}
    {%- set path = found.files.get('mapping.yml') -%}
    {%- if not path -%} {{ return(none) }} {%- endif -%}
    {%- set said = fromyaml(run_query('select content from read_text(' ~ path_literal(path) ~ ')').rows[0][0]) -%}
    {%- if said is not mapping or said.files is not mapping or not said.files -%}
        {%- do stop("mapping.yml in the folder " ~ var('files_dir') ~ " is not YAML with a list `files`: each file, its entities and their columns.") -%}
    {%- endif -%}
    {%- set sources = {} -%}
    {%- set problems = [] -%}
    {%- do mapping_keys(said, ['files'] + mapping_forms(), 'mapping.yml', problems) -%}
    {%- for name, entities in said.files.items() -%}
        {%- set where = 'mapping.yml, ' ~ name -%}
        {%- if name | string not in found.files or not is_input_file(name | string) -%}
            {%- do problems.append("mapping.yml names " ~ name ~ ", which is not a CSV or Parquet file in the folder (there: "
                ~ (found.files | select('ne', 'mapping.yml') | join(', ') or 'none') ~ ").") -%}
        {%- elif entities is not mapping -%}
            {%- do problems.append(where ~ ": entities and their columns are missing.") -%}
        {%- else -%}
            {%- if is_checked -%} {%- do check_bytes('In the folder ' ~ var('files_dir') ~ ' ' ~ name, found.files[name | string]) -%} {%- endif -%}
            {%- set file = read_header(found.files[name | string]) -%}
            {%- if is_checked -%} {%- do check_text('In the folder ' ~ var('files_dir') ~ ' ' ~ name, file) -%} {%- endif -%}
            {%- do file.update(mentioned=[]) -%}
            {%- set forms = {} -%}
            {%- for form in mapping_forms() -%}
                {%- do forms.update({form: entities[form] if form in entities else said.get(form)}) -%}
            {%- endfor -%}
            {%- for entity, specifications in entities.items() if entity not in mapping_forms() -%}
                {%- if entity not in contract() -%}
                    {%- do problems.append(where ~ ": there is no entity `" ~ entity ~ "` (" ~ contract() | join(', ') ~ ").") -%}
                {%- endif -%}
                {%- for columns in mapping_list(specifications) if entity in contract() -%}
                    {%- if columns is not mapping -%}
                        {%- do problems.append(where ~ ", " ~ entity ~ ": its columns are missing.") -%}
                    {%- else -%}
                        {%- do sources.setdefault(entity, []).append(mapped_source(file, entity, columns, forms, where ~ ', ' ~ entity, problems)) -%}
                    {%- endif -%}
                {%- endfor -%}
            {%- endfor -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if problems -%} {%- do stop(problems | join(' ')) -%} {%- endif -%}
    {%- for mapped in sources.values() -%}
        {%- for source in mapped -%} {%- do source.update(ignored=source.names | reject('in', source.mentioned) | list) -%} {%- endfor -%}
    {%- endfor -%}
    {{ return(sources) }}
{% endmacro %}


{#- What can be said of the whole folder, a file or a column: the forms of numbers and dates, and the currency of rows that name none. -#}
{% macro mapping_forms() %}
    {{ return(['numbers', 'dates', 'currency']) }}
{% endmacro %}


{#- One thing or a list of them, as a list. -#}
{% macro mapping_list(said) %}
    {{ return(said if said is sequence and said is not string and said is not mapping else [said]) }}
{% endmacro %}


{% macro mapping_keys(said, known, where, problems) %}
    {%- for key in said if key not in known -%}
        {%- do problems.append(where ~ ": there is no key `" ~ key ~ "` (" ~ known | join(', ') ~ ").") -%}
    {%- endfor -%}
{% endmacro %}


{#- One entity out of one file. -#}
{% macro mapped_source(file, entity, said, forms, where, problems) %}
    {%- set source = file.copy() -%}
    {%- do source.update(columns={}, conditions=[], is_mapped=true) -%}
    {%- set known = contract_columns(entity) -%}
    {%- set further = ['where', 'skip_if_empty'] + (['columns'] if entity == 'account_attributes' else []) -%}
    {%- for key in said if key not in further and key not in known | map(attribute='name') -%}
        {%- do problems.append(where ~ ": there is no column `" ~ key ~ "` (" ~ known | map(attribute='name') | join(', ') ~ ").") -%}
    {%- endfor -%}
    {%- for column in known -%}
        {%- if column.name in said -%}
            {%- do source.columns.update({column.name: mapped_value(file, entity, column, said[column.name], forms, where ~ '.' ~ column.name, problems)}) -%}
        {%- elif column.name == 'currency_code' and forms.currency -%}
            {%- do source.columns.update(currency_code=mapped_literal(forms.currency, entity, column, where ~ '.currency_code', problems)) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if (said.get('where') or {}) is not mapping -%}
        {%- do problems.append(where ~ ": where is a list such as `Status: [paid, open]`.") -%}
        {{ return(source) }}
    {%- endif -%}
    {%- for header, texts in (said.get('where') or {}).items() -%}
        {%- set kept = [] -%}
        {%- for text in mapping_list(texts) -%}
            {%- for spelling in mapping_spellings(text) -%} {%- do kept.append(text_literal(spelling)) -%} {%- endfor -%}
        {%- endfor -%}
        {%- do source.conditions.append("coalesce(lower(trim(" ~ mapped_header(file, header, where ~ '.where', problems) ~ ")), '') in ("
            ~ kept | join(', ') ~ ")") -%}
    {%- endfor -%}
    {%- for header in mapping_list(said.get('skip_if_empty', [])) -%}
        {%- do source.conditions.append(mapped_header(file, header, where ~ '.skip_if_empty', problems) ~ " is not null") -%}
    {%- endfor -%}
    {%- if 'columns' in said and 'columns' in further -%}
        {%- set headers = [] -%}
        {%- set values = [] -%}
        {%- for header in mapping_list(said['columns']) -%}
            {%- do headers.append(text_literal(header)) -%}
            {%- do values.append('nullif(trim(' ~ mapped_header(file, header, where ~ '.columns', problems) ~ "), '')") -%}
        {%- endfor -%}
        {%- do source.update(
            relation='(select *, unnest([' ~ headers | join(', ') ~ ']) as mapped_attribute, unnest([' ~ values | join(', ')
                ~ ']) as mapped_value from ' ~ file.relation ~ ')'
        ) -%}
        {%- do source.columns.update(attribute='mapped_attribute', value='mapped_value') -%}
        {%- do source.conditions.append('mapped_value is not null') -%}
    {%- endif -%}
    {{ return(source) }}
{% endmacro %}


{#- The expression for one column of the contract. -#}
{% macro mapped_value(file, entity, column, said, forms, where, problems) %}
    {%- set how = said if said is mapping else {'column': said} -%}
    {%- do mapping_keys(how, ['column', 'constant', 'first', 'characters', 'values', 'otherwise', 'reciprocal', 'numbers', 'dates'], where, problems) -%}
    {%- if 'constant' in how -%} {{ return(mapped_literal(how.constant, entity, column, where, problems)) }} {%- endif -%}
    {%- set places = [] -%}
    {%- for header in mapping_list(how.get('column')) -%}
        {%- do places.append(mapped_header(file, header, where, problems)) -%}
    {%- endfor -%}
    {%- set text = places[0] if places | length == 1 else 'coalesce(' ~ places | join(', ') ~ ')' -%}
    {%- if 'first' in how -%} {%- set text = "nullif(trim(split_part(" ~ text ~ ", " ~ text_literal(how.first) ~ ", 1)), '')" -%} {%- endif -%}
    {%- if 'characters' in how -%}
        {%- if how.characters is not integer -%} {%- do problems.append(where ~ ": characters is a whole number.") -%} {%- endif -%}
        {%- set text = 'left(' ~ text ~ ', ' ~ how.characters | int ~ ')' -%}
    {%- endif -%}
    {%- set value = text -%}
    {%- if column.type in ['integer', 'amount', 'number', 'rate'] -%}
        {%- set value = read_in_number_form(text, how.get('numbers', forms.numbers), where, problems) -%}
    {%- elif column.type in ['date', 'timestamp'] -%}
        {%- set value = read_in_date_form(text, how.get('dates', forms.dates), where, problems) -%}
    {%- endif -%}
    {%- if how.get('reciprocal') -%} {%- set value = 'cast(1 / nullif(try_cast(' ~ value ~ ' as double), 0) as varchar)' -%} {%- endif -%}
    {%- if 'values' not in how and 'otherwise' not in how -%} {{ return(value) }} {%- endif -%}
    {%- set choices = [] -%}
    {%- set seen = [] -%}
    {%- if (how.get('values') or {}) is not mapping -%}
        {%- do problems.append(where ~ ": values is a list such as `Closed Won: true`.") -%}
    {%- else -%}
        {%- for wanted, becomes in (how.get('values') or {}).items() -%}
            {%- for spelling in mapping_spellings(wanted) -%}
                {%- if spelling in seen and wanted is not boolean -%}
                    {%- do problems.append(where ~ ": values has `" ~ wanted ~ "` twice (case does not count).") -%}
                {%- endif -%}
                {%- do seen.append(spelling) -%}
                {%- do choices.append('when ' ~ text_literal(spelling) ~ ' then ' ~ mapped_literal(becomes, entity, column, where ~ ', `' ~ wanted ~ '`', problems)) -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if 'otherwise' in how -%}
        {%- set value = 'case when ' ~ text ~ ' is not null then ' ~ mapped_literal(how.otherwise, entity, column, where ~ ', otherwise', problems) ~ ' end' -%}
    {%- endif -%}
    {{ return("case coalesce(lower(trim(" ~ text ~ ")), '') " ~ choices | join(' ') ~ ' else ' ~ value ~ ' end' if choices else value) }}
{% endmacro %}


{#- Where a header's column is found in its file: by its exact name, else by the name as the contract would write it. -#}
{% macro mapped_header(file, header, where, problems) %}
    {%- if header is boolean or header is none -%}
        {%- do problems.append(where ~ ": the header is missing, or is a word such as Yes or No that YAML reads otherwise: put it in quotes.") -%}
        {{ return('null') }}
    {%- elif header | string == '?' -%}
        {%- do problems.append(where ~ " is undecided: put a header in place of `?` (" ~ file.names | join(', ') ~ ").") -%}
        {{ return('null') }}
    {%- endif -%}
    {%- set exact = [] -%}
    {%- set alike = [] -%}
    {%- for name in file.names -%}
        {%- if name == header | string | trim -%} {%- do exact.append(loop.index0) -%} {%- endif -%}
        {%- if contract_name(name) == contract_name(header | string) -%} {%- do alike.append(loop.index0) -%} {%- endif -%}
    {%- endfor -%}
    {%- set found = exact or alike -%}
    {%- if found | length != 1 -%}
        {%- do problems.append(where ~ ": the file has " ~ ("no column `" ~ header ~ "` (it has " ~ file.names | join(', ') ~ ")."
            if not found else "the column `" ~ header ~ "` more than once.")) -%}
        {{ return('null') }}
    {%- endif -%}
    {%- do file.mentioned.append(file.names[found[0]]) -%}
    {{ return(file.places[found[0]] if file.header else 'cast(' ~ file.places[found[0]] ~ ' as varchar)') }}
{% endmacro %}


{#- A value that the mapping says, as a literal. -#}
{% macro mapped_literal(value, entity, column, where, problems) %}
    {%- if value is none -%} {{ return('cast(null as varchar)') }} {%- endif -%}
    {%- set text = value | string | lower if value is boolean else value | string -%}
    {%- set allowed = contract_values(entity, column.name) if column.type == 'choice' else ['true', 'false'] if column.type == 'boolean' else [] -%}
    {%- if text == '?' -%}
        {%- do problems.append(where ~ " is undecided: put " ~ (allowed | join(', ') or 'a value') ~ " in place of `?`.") -%}
    {%- elif allowed and text not in allowed -%}
        {%- do problems.append(where ~ ": `" ~ text ~ "` is not one of " ~ allowed | join(', ') ~ ".") -%}
    {%- elif column.type == 'currency' and not modules.re.match('^[A-Za-z]{3}$', text) -%}
        {%- do problems.append(where ~ ": `" ~ text ~ "` is not a currency code of three letters.") -%}
    {%- endif -%}
    {{ return('cast(' ~ text_literal(text) ~ ' as varchar)') }}
{% endmacro %}


{#- How a text of the mapping may stand in a file, in lower case. YAML reads Yes, No, On and Off as true and false. -#}
{% macro mapping_spellings(text) %}
    {%- if text is boolean -%}
        {{ return(['true', 'yes', 'on', 't', 'y', '1'] if text else ['false', 'no', 'off', 'f', 'n', '0']) }}
    {%- endif -%}
    {{ return([(text if text is not none else '') | string | trim | lower]) }}
{% endmacro %}


{#-
    A number in the form in which 1234.56 is `form`, as the contract writes it. A text in another form stays as it is, and with a mark where it
    would be read as another number.
-#}
{% macro read_in_number_form(text, form, where, problems) %}
    {%- if form is none -%} {{ return(text) }} {%- endif -%}
    {%- set parts = modules.re.match('^([^0-9]*)1([^0-9]?)234([.,])56([^0-9]*)$', form | string | trim) -%}
    {%- if form | string == '?' -%}
        {%- do problems.append(where ~ " is undecided: put the form of numbers, such as 1,234.56 or 1.234,56, in place of `?`.") -%}
        {{ return(text) }}
    {%- elif not parts or parts.group(2) not in ['', '.', ',', ' ', '\u00a0', "'", '\u2019'] or parts.group(2) == parts.group(3) -%}
        {%- do problems.append(where ~ ": numbers is `" ~ form ~ "`, not a form of 1234.56 such as 1,234.56 or 1.234,56.") -%}
        {{ return(text) }}
    {%- elif parts.group(3) == '.' and parts.group(2) in ['', ','] and not parts.group(1) and not parts.group(4) -%}
        {{ return(text) }}
    {%- endif -%}
    {%- set thousands = {'': '', ' ': '[ \u00a0\u202f]', '\u00a0': '[ \u00a0\u202f]', "'": "['\u2019]", '\u2019': "['\u2019]"}.get(parts.group(2), '[' ~ parts.group(2) ~ ']') -%}
    {%- set whole = '[0-9]+' ~ ('|[0-9]{1,3}(?:' ~ thousands ~ '[0-9]{3})+' if thousands else '') -%}
    {%- set pattern = text_literal('^([+-]?) ?(?:' ~ modules.re.escape(parts.group(1) | trim) ~ ')? ?([+-]?)(' ~ whole ~ ')(?:[' ~ parts.group(3)
        ~ ']([0-9]*))? ?(?:' ~ modules.re.escape(parts.group(4) | trim) ~ ')?$') -%}
    {%- set part = 'regexp_extract(trim(' ~ text ~ '), ' ~ pattern ~ ', ' -%}
    {{ return(
        'case when regexp_matches(trim(' ~ text ~ '), ' ~ pattern ~ ') then ' ~ part ~ '1) || ' ~ part ~ "2) || regexp_replace(" ~ part
        ~ "3), '[^0-9]', '', 'g') || coalesce('.' || nullif(" ~ part ~ "4), ''), '') when try_cast(replace(" ~ text ~ ", ',', '') as double) is not null then " ~ text
        ~ " || " ~ text_literal(' (not in the form ' ~ form ~ ')') ~ ' else ' ~ text ~ ' end'
    ) }}
{% endmacro %}


{#-
    A date or time in the form in which 31 December 2025 is `form`, as the contract writes it. Whatever the form, a time of day may follow, of 24
    hours or of 12 with AM or PM. A text in another form stays as it is; of those, the contract reads ISO 8601 only.
-#}
{% macro read_in_date_form(text, form, where, problems) %}
    {%- if form is none -%} {{ return(text) }} {%- endif -%}
    {%- if form | string == '?' -%}
        {%- do problems.append(where ~ " is undecided: put the form of 31 December 2025, 31/12/2025 or 12/31/2025, in place of `?`.") -%}
        {{ return(text) }}
    {%- endif -%}
    {%- set codes = {'2025': '%Y', '25': '%y', '12': '%m', 'Dec': '%b', 'December': '%B', '31': '%d'} -%}
    {%- set part = '(2025|25|31|12|December|Dec)' -%}
    {%- set parts = modules.re.match('^' ~ part ~ '([-/. ,]{1,2})' ~ part ~ '([-/. ,]{1,2})' ~ part ~ '(,?[ T][0-9].*)?$', form | string | trim) -%}
    {%- set tokens = [parts.group(1), parts.group(3), parts.group(5)] if parts else [] -%}
    {%- set kinds = tokens | map('replace', 'December', '12') | map('replace', 'Dec', '12') | map('replace', '2025', '25') | sort | join(' ') -%}
    {%- if kinds != '12 25 31' -%}
        {%- do problems.append(where ~ ": dates is `" ~ form ~ "`, not a form of 31 December 2025 such as 31/12/2025, 12/31/2025 or 31.12.2025.") -%}
        {{ return(text) }}
    {%- endif -%}
    {%- set day = codes[tokens[0]] ~ parts.group(2) ~ codes[tokens[1]] ~ parts.group(4) ~ codes[tokens[2]] -%}
    {%- if day == '%Y-%m-%d' -%} {{ return(text) }} {%- endif -%}
    {%- set formats = [text_literal(day)] -%}
    {%- for join in [' ', ', ', 'T'] -%}
        {%- for time in ['%H:%M', '%H:%M:%S', '%I:%M %p', '%I:%M:%S %p'] -%} {%- do formats.append(text_literal(day ~ join ~ time)) -%} {%- endfor -%}
    {%- endfor -%}
    {%- set spaced = "regexp_replace(regexp_replace(trim(" ~ text ~ "), '[\u00a0\u202f]', ' ', 'g'), '([0-9])([AaPp][Mm])$', '\\1 \\2')" -%}
    {{ return("coalesce(strftime(try_strptime(" ~ spaced ~ ", [" ~ formats | join(', ') ~ "]), '%Y-%m-%dT%H:%M:%S'), " ~ text ~ ")") }}
{% endmacro %}
