select
    stage,
    account_id,
    segment_id,
    tier,
    cast(entered_at as date) as entered_on,
    cast(count(*) as integer) as entry_count
from {{ ref('int_stage_entries') }}
where account_id is not null
group by stage, account_id, segment_id, tier, cast(entered_at as date)
