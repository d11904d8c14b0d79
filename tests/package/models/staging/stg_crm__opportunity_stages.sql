select * from {{ crm_export('opportunity_stages') }}
