with

opportunities as (
    select opportunity_id from {{ ref('input_opportunities') }}
),

checked as (
    select
        rows_read.*,
        coalesce(
            rows_read.row_fault,
            case when opportunities.opportunity_id is null then {{ fault('unknown_opportunity', 'opportunity_id') }} end
        ) as reject_fault
    from ({{ check_rows('opportunity_stages') }}) as rows_read
    left join opportunities on rows_read.opportunity_id = opportunities.opportunity_id
)

{{ checked_rows('opportunity_stages', id='opportunity_id') }}
