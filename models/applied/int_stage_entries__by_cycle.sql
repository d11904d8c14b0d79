with

cycles as (
    select * from {{ ref('int_cycles__versions') }}
)

select
    entries.stage,
    entries.record_id,
    entries.account_id,
    coalesce(segments.tier, 'unassigned') as tier,
    entries.deal_size,
    cycles.cycle_start,
    entries.entered_at
from {{ ref('int_stage_entries') }} as entries
inner join cycles on {{ cycle_of('entries.entered_at') }} = cycles.cycle_start
left join {{ ref('int_accounts__segments_by_version') }} as segments
    on
        entries.account_id = segments.account_id
        and cycles.icp_version = segments.icp_version
