with

learned as (
    select max(choice) as choice
    from {{ ref('learned_value_clusters') }}
),

tried as (
    select {{ json_objects('choice', ['k', 'chosen', 'silhouette', 'stability', 'smallest_share', 'note']) }} as row
    from learned
)

select
    cast(tried.row.k as integer) as cluster_count,
    cast(tried.row.note as string) as note,
    cast(tried.row.chosen as boolean) as is_chosen,
    cast(tried.row.silhouette as double) as silhouette,
    cast(tried.row.stability as double) as stability,
    cast(tried.row.smallest_share as double) as smallest_share
from tried
