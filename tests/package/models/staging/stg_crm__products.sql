select * from {{ crm_export('products') }}
