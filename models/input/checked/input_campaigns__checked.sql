with

checked as (
    select
        *,
        coalesce(row_fault, case when ended_on < started_on then {{ fault('ends_before_start', 'ended_on') }} end) as reject_fault
    from ({{ check_rows('campaigns', key='campaign_id') }})
)

{{ checked_rows('campaigns', id='campaign_id') }}
