select
    cast(suite as string) as suite,
    cast(expectation as string) as expectation,
    cast(relation as string) as relation,
    nullif(cast(column_name as string), '') as column_name,
    cast(severity as string) as severity,
    cast(says as string) as says,
    cast(observed as string) as observed,
    nullif(cast(expected as string), '') as expected,
    cast(because as string) as because,
    cast(failing_keys as string) as failing_keys,
    cast(is_passed as boolean) as is_passed,
    cast(checked_count as integer) as checked_count,
    cast(failing_count as integer) as failing_count
from {{ ref('expectation_results') }}
