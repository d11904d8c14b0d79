with

segment_conditions as (
    select * from {{ ref('int_segment_conditions') }}
),

-- Segments share conditions: each is looked at once per account.
conditions as (
    select distinct
        condition_id,
        attribute,
        operator,
        value
    from segment_conditions
),

accounts as (
    select distinct resolved_account_id as account_id
    from {{ ref('int_accounts__in_scope') }}
),

failed as (
    select
        evaluated.account_id,
        evaluated.condition_id
    from ({{ account_conditions('conditions') }}) as evaluated
    where not evaluated.is_met
),

ruled_out as (
    select
        failed.account_id,
        segment_conditions.icp_version,
        segment_conditions.segment_id
    from failed
    inner join segment_conditions on failed.condition_id = segment_conditions.condition_id
)

select
    accounts.account_id,
    segments.icp_version,
    segments.segment_id,
    segments.segment_name,
    segments.tier,
    segments.is_in_force
from accounts
cross join {{ ref('int_icp_versions__segments') }} as segments
anti join ruled_out
    on
        accounts.account_id = ruled_out.account_id
        and segments.icp_version = ruled_out.icp_version
        and segments.segment_id = ruled_out.segment_id
