select
    -- ids
    {{ read_id('account_id') }} as account_id,
    {{ read_id('parent_account_id') }} as parent_account_id,
    {{ read_id('merged_into_account_id') }} as merged_into_account_id,
    -- text
    {{ read_label('account_name') }} as account_name,
    {{ read_label('domain') }} as domain,
    {{ read_label('industry') }} as industry,
    {{ read_label('country') }} as country,
    {{ read_label('region') }} as region,
    -- numbers
    {{ read_integer('employee_count') }} as employee_count,
    {{ read_number('annual_revenue') }} as annual_revenue,
    -- times
    {{ read_timestamp('created_at') }} as created_at,
    -- the row as it was read
    {{ whole_row() }} as raw
from ({{ staged('accounts') }})
