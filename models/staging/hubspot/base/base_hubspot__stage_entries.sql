with

history as (
    select
        deal_id,
        value as stage_id,
        date_entered as entered_at
    from {{ source('hubspot', 'stage_entry') }}
    {%- if var('hubspot_loader') == 'airbyte' %}
    where property = 'dealstage'
    {%- endif %}
),

-- Airbyte without the history: the first entry into each stage is a column of the deal, its name made of the stage's id.
dates as (
    select
        dates.id as deal_id,
        stages.stage_id,
        {{ read_timestamp('dates.value') }} as entered_at
    from {{ source('hubspot', 'stage_date') }} as dates
    inner join {{ ref('base_hubspot__stages') }} as stages
        on lower(dates.name) = regexp_replace(lower(stages.stage_id), '[^a-z0-9]', '_', 'g') and stages.is_first_of_id
    where (select count(*) = 0 from history)
    qualify row_number() over (partition by dates.id, dates.name order by dates.loaded_at desc) = 1
)

select * from history
union
select * from dates
