-- Of the last finished cycle: what is to be revised is no claim by today's figures, and a claim that late deals contradict is not kept.
select
    segments.segment_id,
    segments.tier,
    segments.measured_tier,
    segments.evidence,
    reviews.verdict
from {{ ref('icp_segments') }} as segments
inner join {{ ref('icp_cycle_review') }} as reviews on segments.segment_id = reviews.segment_id
where
    reviews.cycle_start = (
        select max(cycle_start) from {{ ref('icp_cycle_review') }}
        where is_finished
    )
    and (
        (reviews.verdict = 'revise' and segments.measured_tier = segments.tier and segments.tier <> 'tier_3')
        or (reviews.verdict = 'keep' and segments.evidence like '%changed, not enough recent evidence')
    )
