-- What a critical expectation says no longer holds: nothing is published until somebody has looked (docs/quality.md).
select
    expectation,
    observed,
    expected,
    failing_keys
from {{ ref('quality_expectations') }}
where
    severity = 'critical'
    and not is_passed
