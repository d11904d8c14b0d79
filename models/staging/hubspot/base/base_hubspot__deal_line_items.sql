{%- if var('hubspot_loader') == 'airbyte' -%}
select
    id as deal_id,
    unnest(list_distinct(from_json(cast(line_items as json), '["VARCHAR"]'))) as line_item_id
from {{ source('hubspot', 'deal') }}
{%- else -%}
select
    deal_id,
    line_item_id
from {{ source('hubspot', 'line_item_deal') }}
where not is_deleted
union
-- Older tables have the deal on the line item.
select
    deal_id,
    id
from {{ source('hubspot', 'line_item') }}
where deal_id is not null
{%- endif %}
