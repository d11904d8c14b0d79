with

checked as (
    select
        *,
        coalesce(row_rule, case when ended_on < started_on then 'ends_before_start' end) as reject_rule
    from ({{ check_rows('campaigns', key='campaign_id') }})
)

{{ checked_rows('campaigns', id='campaign_id') }}
