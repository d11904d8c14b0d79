with

opportunities as (
    select * from {{ source('salesforce', 'opportunity') }}
    where not is_deleted
),

-- A loader's copy of old versions of opportunities may have this name too: it names no opportunity.
history as (
    select * from {{ source('salesforce', 'opportunityhistory') }}
    where not is_deleted and opportunityid is not null
),

field_history as (
    select * from {{ source('salesforce', 'opportunityfieldhistory') }}
    where not is_deleted and field = 'StageName'
),

stages as (
    select * from {{ source('salesforce', 'opportunitystage') }}
    where not is_deleted
),

-- A row of the history is a change of stage, amount, probability or close date.
entries as (
    select
        id,
        opportunityid,
        stagename,
        createddate
    from history
    union all
    select
        id,
        opportunityid,
        newvalue as stagename,
        createddate
    from field_history
    where (select count(*) = 0 from history)
    union all
    -- The field's history begins with its first change: what it held before, it held from the beginning.
    select
        concat(changes.opportunityid, '-first') as id,
        changes.opportunityid,
        changes.stagename,
        opportunities.createddate
    from (
        select
            opportunityid,
            arg_min(oldvalue, (createddate, id)) as stagename
        from field_history
        group by opportunityid
    ) as changes
    inner join opportunities on changes.opportunityid = opportunities.id
    where changes.stagename is not null and (select count(*) = 0 from history)
),

runs as (
    select
        *,
        lag(stagename) over (partition by opportunityid order by createddate, id) as previous_stagename
    from entries
    semi join opportunities on entries.opportunityid = opportunities.id
),

-- A stage is written under its name in the API or its label.
stage_orders as (
    select
        stage,
        min(sortorder) as stage_order
    from (
        select
            apiname as stage,
            sortorder
        from stages
        union all
        select
            masterlabel as stage,
            sortorder
        from stages
    )
    where stage is not null
    group by stage
)

select
    runs.opportunityid as opportunity_id,
    runs.stagename as stage,
    stage_orders.stage_order,
    runs.createddate as entered_at
from runs
left join stage_orders on runs.stagename = stage_orders.stage
where runs.previous_stagename is distinct from runs.stagename
