select * from {{ crm_export('contacts') }}
