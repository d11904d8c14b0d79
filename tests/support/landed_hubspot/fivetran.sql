-- What Fivetran lands, with what its users report.
create table company (id bigint, property_name varchar, is_deleted boolean, _fivetran_deleted boolean, _fivetran_synced timestamptz);
insert into company values (1, 'Acme', null, false, '2024-07-01'), (2, 'Partner', false, null, '2024-07-01');
create table deal (
deal_id bigint, property_dealname varchar, deal_pipeline_id varchar, deal_pipeline_stage_id varchar, property_amount double,
property_createdate timestamptz, property_closedate timestamptz, _fivetran_deleted boolean, _fivetran_synced timestamptz
);
insert into deal values
(10, 'two companies', 'sales', 'won', 100, '2024-01-01', '2024-02-01', false, '2024-07-01'),
(11, 'survivor', 'sales', 'won', 200, '2024-01-01', '2024-02-02', false, '2024-07-01'),
(12, 'merged away', 'sales', 'won', 200, '2024-01-01', '2024-02-02', false, '2024-07-01'),
(13, 'moved', 'sales', 'talk', 300, '2024-01-01', '2025-02-03', false, '2024-07-01'),
(14, 'lost', 'sales', 'lost', 400, '2024-01-01', '2024-02-04', false, '2024-07-01');
create table deal_company (deal_id bigint, company_id bigint, type_id bigint, category varchar, _fivetran_synced timestamptz);
insert into deal_company values
(10, 1, 5, 'HUBSPOT_DEFINED', '2024-07-01'), (10, 1, 341, 'HUBSPOT_DEFINED', '2024-07-01'),
(10, 2, 341, 'HUBSPOT_DEFINED', '2024-07-01'), (10, 2, 5, 'USER_DEFINED', '2024-07-01'),
(11, 1, 5, 'HUBSPOT_DEFINED', '2024-07-01'), (12, 1, 5, 'HUBSPOT_DEFINED', '2024-07-01'),
(13, 1, 5, 'HUBSPOT_DEFINED', '2024-07-01'), (14, 1, 5, 'HUBSPOT_DEFINED', '2024-07-01');
create table merged_deal (deal_id bigint, merged_deal_id bigint, _fivetran_synced timestamptz);
insert into merged_deal values (11, 12, '2024-07-01');
create table deal_pipeline (pipeline_id varchar, label varchar, _fivetran_deleted boolean, _fivetran_synced timestamptz);
insert into deal_pipeline values ('sales', 'Sales', false, '2024-07-01'), ('old', 'Sales 2023', true, '2024-07-01');
create table deal_pipeline_stage (
stage_id varchar, pipeline_id varchar, label varchar, display_order integer, probability double, closed_won boolean,
_fivetran_deleted boolean, _fivetran_synced timestamptz
);
insert into deal_pipeline_stage values
('talk', 'sales', 'Talk', 1, 0.5, false, false, '2024-07-01'), ('won', 'sales', 'Signed', 2, 1, true, false, '2024-07-01'),
('lost', 'sales', 'Lost', 3, 0, true, false, '2024-07-01'), ('cold', 'old', 'Cold call', 0, 0.1, false, true, '2024-07-01');
create table deal_stage (
deal_id bigint, value varchar, date_entered timestamptz, _fivetran_active boolean, _fivetran_synced timestamptz
);
insert into deal_stage values
(13, 'cold', '2024-01-01', false, '2024-07-01'), (13, 'talk', '2024-01-20', true, '2024-07-01');
