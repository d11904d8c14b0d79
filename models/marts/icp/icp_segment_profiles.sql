with

profiles as (
    select * from {{ ref('int_accounts__profile') }}
),

-- Each account counts in its segment, and in the whole.
scopes as (
    select
        account_id,
        segment_id
    from {{ ref('dim_accounts') }}
    union all
    select
        account_id,
        'all' as segment_id
    from {{ ref('dim_accounts') }}
),

known as (
    select
        scopes.segment_id,
        profiles.aspect,
        profiles.dimension,
        count(distinct profiles.account_id) as account_count
    from profiles
    inner join scopes on profiles.account_id = scopes.account_id
    group by scopes.segment_id, profiles.aspect, profiles.dimension
),

held as (
    select
        scopes.segment_id,
        profiles.dimension,
        profiles.value,
        count(*) filter (where profiles.amount is null or profiles.amount > 0) as accounts_with,
        sum(profiles.observations) as observations,
        case
            when profiles.value = 'median' then median(cast(profiles.amount as double))
            else sum(profiles.amount) / cast(sum(profiles.observations) as double)
        end as figure
    from profiles
    inner join scopes on profiles.account_id = scopes.account_id
    where profiles.value is not null
    group by scopes.segment_id, profiles.dimension, profiles.value
),

overall as (
    select
        known.aspect,
        held.*,
        known.account_count
    from held
    inner join known
        on
            held.segment_id = known.segment_id
            and held.dimension = known.dimension
    where held.segment_id = 'all'
),

-- What many have is listed for those too of whom nobody does.
compared as (
    select
        known.segment_id,
        overall.aspect,
        overall.dimension,
        overall.value,
        overall.dimension = 'days_to_close' as is_duration,
        known.account_count,
        coalesce(held.accounts_with, 0) as accounts_with,
        held.observations,
        held.figure,
        overall.account_count as overall_account_count,
        overall.accounts_with / cast(overall.account_count as double) as overall_share,
        overall.figure as overall_figure
    from overall
    inner join known on overall.dimension = known.dimension
    left join held
        on
            known.segment_id = held.segment_id
            and overall.dimension = held.dimension
            and overall.value = held.value
    where held.segment_id is not null or overall.accounts_with >= {{ least_support() }}
)

select
    segment_id,
    aspect,
    dimension,
    value,
    cast(account_count as integer) as accounts,
    case when not is_duration then cast(accounts_with as integer) end as accounts_with,
    case when not is_duration then accounts_with / cast(account_count as double) end as share,
    case when not is_duration then {{ wilson_low('accounts_with', 'account_count') }} end as share_low,
    case when not is_duration then {{ wilson_high('accounts_with', 'account_count') }} end as share_high,
    cast(overall_account_count as integer) as overall_accounts,
    case when not is_duration then overall_share end as overall_share,
    cast(observations as integer) as observations,
    figure,
    overall_figure,
    case
        when overall_figure is not null then figure / nullif(overall_figure, 0)
        else accounts_with / cast(account_count as double) / nullif(overall_share, 0)
    end as index_against_all
from compared
