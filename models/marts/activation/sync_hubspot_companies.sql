with

external_ids as (
    select * from {{ ref('input_account_external_ids') }}
    where lower(system) = 'hubspot'
),

resolved as (
    select * from {{ ref('int_accounts__resolved') }}
),

accounts as (
    select * from {{ ref('dim_accounts') }}
),

segments as (
    select * from {{ ref('icp_segments') }}
),

disagreements as (
    select * from {{ ref('icp_disagreements') }}
),

claims as (
    select
        external_ids.external_id as hubspot_company_id,
        min(resolved.resolved_account_id) as account_id,
        count(distinct resolved.resolved_account_id) as claiming_account_count,
        count(*) filter (where not resolved.is_excluded) as included_claim_count
    from external_ids
    inner join resolved on external_ids.account_id = resolved.account_id
    group by external_ids.external_id
),

-- An excluded account's record is not written to, and loses what was written; one that is claimed by others too is left as it is.
records as (
    select
        *,
        case
            when claiming_account_count > 1 then 'claimed_by_several_accounts'
            when coalesce(cast(try_cast(hubspot_company_id as bigint) as string) <> hubspot_company_id, true) then 'not_a_record_id'
        end as withheld_reason
    from claims
    where included_claim_count > 0
),

matched as (
    select
        records.hubspot_company_id,
        records.withheld_reason,
        records.claiming_account_count,
        accounts.account_id,
        accounts.account_name,
        accounts.tier,
        accounts.fit_score,
        accounts.reason_1,
        accounts.reason_2,
        accounts.reason_3,
        segments.segment_id,
        segments.segment_name,
        disagreements.reason as disagreement,
        count(*) over (partition by accounts.account_id, records.withheld_reason) as record_count
    from records
    left join accounts
        on
            records.account_id = accounts.account_id
            and records.claiming_account_count = 1
    left join segments on accounts.segment_id = segments.segment_id
    left join disagreements on accounts.account_id = disagreements.account_id
    where accounts.account_id is not null or records.claiming_account_count > 1
)

select
    hubspot_company_id,
    account_id,
    account_name,
    withheld_reason,
    case when withheld_reason is null then tier end as icp_tier,
    case when withheld_reason is null then segment_id end as icp_segment,
    case when withheld_reason is null then segment_name end as icp_segment_name,
    case
        when withheld_reason is not null then null
        when fit_score = floor(fit_score) then cast(cast(fit_score as integer) as string)
        else cast(fit_score as string)
    end as icp_fit_score,
    case
        when withheld_reason is null
            then
                concat(
                    coalesce(reason_1, ''),
                    case when reason_2 is not null then concat('; ', reason_2) else '' end,
                    case when reason_3 is not null then concat('; ', reason_3) else '' end
                )
    end as icp_reasons,
    case when withheld_reason is null then disagreement end as icp_disagreement,
    cast(claiming_account_count as integer) as claiming_account_count,
    case when withheld_reason is null then cast(record_count as integer) end as record_count
from matched
