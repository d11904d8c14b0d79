-- What dlt lands.
create table companies (id varchar, name varchar, _dlt_load_id varchar, _dlt_id varchar);
insert into companies values ('1', 'Acme', '1719792000.5', 'c1');
create table deals (
id varchar, dealname varchar, pipeline varchar, dealstage varchar, amount double, createdate timestamptz, closedate timestamptz,
hs_primary_associated_company varchar, _dlt_load_id varchar, _dlt_id varchar
);
insert into deals values ('10', 'deal', '77', '7701', 100, '2024-01-01', '2024-02-01', '1', '1719792000.5', 'd10'),
('11', 'empty text', '77', '7701', 50, '2024-01-01', '2024-02-01', '', '1719792000.5', 'd11');
create table companies__deals (value varchar, deals_id varchar, _dlt_parent_id varchar, _dlt_id varchar);
insert into companies__deals values ('1', '11', 'd11', 'cd1');
create table pipelines_deals (id varchar, label varchar, _dlt_load_id varchar, _dlt_id varchar);
insert into pipelines_deals values ('77', 'Renewals', '1719792000.5', 'p77');
create table pipelines_deals__stages (
id varchar, label varchar, display_order bigint, metadata__is_closed varchar, metadata__probability varchar, _dlt_parent_id varchar
);
insert into pipelines_deals__stages values ('7701', 'Renewed', 4, 'true', '1.0', 'p77');
create table stages_timing_deals (id varchar, stage varchar, hs_v2_date_enteredx timestamptz, _dlt_load_id varchar);
insert into stages_timing_deals values ('10', '7701', '2024-02-01', '1719792000.5');
