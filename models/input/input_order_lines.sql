select
    {{ contract_column_names('order_lines') | replace(', ', ',\n    ') }}
from {{ ref('input_order_lines__checked') }}
where
    reject_rule is null
    and order_id in (select order_id from {{ ref('input_orders') }})
