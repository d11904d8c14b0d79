with

companies as (
    select
        id,
        is_deleted,
        unnest(string_split(hs_merged_object_ids, ';')) as merged_id
    from {{ source('hubspot', 'company') }}
    where hs_merged_object_ids is not null
)

select
    trim(merged_id) as company_id,
    id as survivor_id
from companies
where trim(merged_id) not in ('', id)
qualify row_number() over (partition by trim(merged_id) order by is_deleted, id) = 1
