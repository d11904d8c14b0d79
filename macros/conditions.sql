{#-
    Whether conditions hold: a row for each account and each row of the CTE `conditions` (condition_id, attribute, operator, value), with
    `is_met`. The one place where rules are applied to accounts. A missing value is on the side of `not_in`, `!=` and `<`.
-#}
{% macro account_conditions(conditions) -%}
    select
        accounts.account_id,
        conditions.condition_id,
        case conditions.operator
            when '=' then listed_values.value is not null
            when 'in' then listed_values.value is not null
            when '!=' then listed_values.value is null
            when 'not_in' then listed_values.value is null
            when 'is_missing' then traits.account_id is null
            when 'is_not_missing' then traits.account_id is not null
            when '>=' then coalesce(traits.number >= try_cast(conditions.value as double), false)
            when '<' then coalesce(traits.number < try_cast(conditions.value as double), true)
        end as is_met
    from (
        select distinct resolved_account_id as account_id
        from {{ ref('int_accounts__in_scope') }}
    ) as accounts
    cross join (select distinct attribute from {{ conditions }}) as asked
    left join {{ ref('int_accounts__traits') }} as traits
        on
            accounts.account_id = traits.account_id
            and asked.attribute = traits.attribute
    inner join {{ conditions }} as conditions on asked.attribute = conditions.attribute
    left join (
        select
            condition_id,
            {{ json_texts('value') }} as value
        from {{ conditions }}
        where operator in ('in', 'not_in')
        union
        select
            condition_id,
            value
        from {{ conditions }}
        where operator in ('=', '!=')
    ) as listed_values
        on
            conditions.condition_id = listed_values.condition_id
            and traits.value = listed_values.value
{%- endmacro %}


{#- The same condition has the same id, whoever uses it. -#}
{% macro condition_id() -%}
    md5(concat(coalesce(attribute, ''), '|', coalesce(operator, ''), '|', coalesce(value, '')))
{%- endmacro %}


{#- An end of the band of numbers that a row of a scorecard holds for (place 0 its least, 1 what is above it); `otherwise` where it is open. -#}
{% macro band_bound(place, otherwise) -%}
    case when operator = 'between' then coalesce(try_cast({{ json_item('value', place) }} as double), cast('{{ otherwise }}' as double)) end
{%- endmacro %}
