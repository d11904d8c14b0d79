select
    cast(suite as varchar) as suite,
    cast(expectation as varchar) as expectation,
    cast(relation as varchar) as relation,
    nullif(cast(column_name as varchar), '') as column_name,
    cast(severity as varchar) as severity,
    cast(says as varchar) as says,
    cast(observed as varchar) as observed,
    nullif(cast(expected as varchar), '') as expected,
    cast(because as varchar) as because,
    cast(failing_keys as varchar) as failing_keys,
    cast(is_passed as boolean) as is_passed,
    cast(checked_count as integer) as checked_count,
    cast(failing_count as integer) as failing_count
from {{ ref('expectation_results') }}
