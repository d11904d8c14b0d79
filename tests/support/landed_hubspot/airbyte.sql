-- What Airbyte lands, with what its users report. As destination MotherDuck up to 0.2.0 writes: camelCase columns are NULL.
create table companies (
    id varchar, createdat timestamp, properties_name varchar, properties_createdate timestamp, properties_hs_merged_object_ids varchar,
    archived boolean, _airbyte_extracted_at timestamp
);
insert into companies values
    ('1', null, 'Acme', '2023-01-01', '3', false, '2024-07-01'), ('2', null, 'Partner', null, null, false, '2024-07-01'),
    ('3', null, 'Acme, swallowed', null, null, false, '2024-07-01');
create table deals (
    id varchar, updatedat timestamp, properties_dealname varchar, properties_pipeline varchar, properties_dealstage varchar,
    properties_amount decimal(38, 9), properties_createdate timestamp, properties_closedate timestamp,
    properties_hs_primary_associated_company decimal(38, 9), companies json, line_items json,
    properties_hs_v2_date_entered_talk timestamp, properties_hs_v2_date_entered_won timestamp,
    properties_hs_v2_date_entered_current_stage timestamp, _airbyte_extracted_at timestamp
);
insert into deals values
    ('10', null, 'twice', 'sales', 'won', 100, '2024-01-01', '2024-02-01', null, '["1", "2", "1"]', '[]', '2024-01-01',
        '2024-02-01', '2024-02-01', '2024-07-01'),
    ('11', null, 'no associations', 'sales', 'won', 200, '2024-01-01', '2024-02-02', 9000000001, null, null, null, null, null,
        '2024-07-01'),
    ('12', null, 'deleted since', 'sales', 'won', 300, '2024-01-01', '2024-02-03', 1, '["1"]', '[]', null, null, null, '2024-07-01'),
    ('13', null, 'of two', 'sales', 'won', 400, '2024-01-01', '2024-02-04', null, '["1", "2", "1", "2"]', '[]', null, null, null,
        '2024-07-01'),
    ('14', null, 'long', 'sales', 'won', 100, '2024-01-01', '2024-02-04', 3, '["3"]',
        (select to_json(list(cast(1000 + i as varchar))) from range(100) as numbers (i)), null, null, null, '2024-07-01');
insert into companies values ('9000000001', null, 'Big id', null, null, false, '2024-07-01');
create table deals_archived (id varchar, archivedat timestamp, _airbyte_extracted_at timestamp);
insert into deals_archived values ('12', null, '2024-07-01');
create table line_items as
select
    cast(1000 + i as varchar) as id, cast(1 as decimal(38, 9)) as properties_amount, cast(1 as decimal(38, 9)) as properties_quantity,
    timestamp '2024-07-01' as _airbyte_extracted_at
from range(100) as numbers (i);
insert into line_items values ('999', 50, 1, '2024-07-01');
create table deal_pipelines (pipelineid varchar, label varchar, stages json, _airbyte_extracted_at timestamp);
insert into deal_pipelines values (null, 'Sales', '[
{"stageId": "talk", "label": "Talk", "displayOrder": 1, "metadata": {"isClosed": "false", "probability": "0.5"}},
{"stageId": "won", "label": "Signed", "displayOrder": 2, "metadata": {"isClosed": "true", "probability": "1.0"}},
{"stageId": "lost", "label": "Lost", "displayOrder": 3, "metadata": {"isClosed": "true", "probability": "0.0"}}
]', '2024-07-01');
create table deals_property_history (dealid varchar, property varchar, value varchar, timestamp varchar, _airbyte_extracted_at timestamp);
