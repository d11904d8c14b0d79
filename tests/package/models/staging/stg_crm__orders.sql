select * from {{ crm_export('orders') }}
