with

versions as (
    select * from {{ ref('int_icp_versions') }}
),

adopted as (
    select * from {{ ref('stg_people__adopted_segments') }}
)

select
    versions.icp_version,
    versions.adoption_number,
    adopted.segment_id,
    adopted.segment_name,
    adopted.definition,
    coalesce(adopted.tier_override, adopted.tier) as tier,
    adopted.tier as tier_by_figures,
    adopted.override_reason,
    versions.is_in_force,
    coalesce(adopted.tier_override <> adopted.tier, false) as is_tier_overridden,
    cast(adopted.pursuits as integer) as pursuit_count,
    cast(adopted.wins as integer) as won_pursuit_count,
    cast(adopted.win_rate as double) as win_rate,
    cast(adopted.value_per_pursuit as double) as value_per_pursuit,
    cast(adopted.lift as double) as lift,
    cast(adopted.lift_low as double) as lift_low,
    cast(adopted.lift_high as double) as lift_high
from versions
inner join adopted on versions.adoption_number = cast(adopted.adoption_number as integer)
union all
select
    versions.icp_version,
    versions.adoption_number,
    learned.segment_id,
    learned.segment_name,
    learned.definition,
    -- In force it may have lost a claim to what came of late.
    coalesce(in_force.tier, learned.tier) as tier,
    learned.tier as tier_by_figures,
    cast(null as string) as override_reason,
    versions.is_in_force,
    false as is_tier_overridden,
    cast(learned.pursuits as integer) as pursuit_count,
    cast(learned.wins as integer) as won_pursuit_count,
    cast(learned.win_rate as double) as win_rate,
    cast(learned.value_per_pursuit as double) as value_per_pursuit,
    cast(learned.lift as double) as lift,
    cast(learned.lift_low as double) as lift_low,
    cast(learned.lift_high as double) as lift_high
from versions
cross join {{ ref('learned_segments') }} as learned
left join {{ ref('learned_segments_in_force') }} as in_force
    on
        versions.is_in_force
        and learned.segment_id = in_force.segment_id
where versions.icp_version = 'learned'
