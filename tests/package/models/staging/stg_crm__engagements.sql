select * from {{ crm_export('engagements') }}
