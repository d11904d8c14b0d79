with

named_lines as (
    select
        sale_id,
        row_id as order_line_id
    from {{ ref('input_order_lines__checked') }}
    where reject_rule <> 'exact_duplicate'
    union all
    -- A line that could not be split into its fields still names its order, in one of them.
    select
        field as sale_id,
        cast(null as string) as order_line_id
    from (
        select {{ each_of('fields') }} as field
        from {{ ref('input_malformed_lines') }}
        where entity = 'order_lines'
    )
)

select
    sale_id,
    min(order_line_id) as order_line_id
from named_lines
where sale_id is not null
group by sale_id
