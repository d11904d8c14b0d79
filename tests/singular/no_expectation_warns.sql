-- Published all the same; somebody should look (docs/quality.md).
{{ config(severity='warn') }}

select
    expectation,
    observed,
    expected,
    failing_keys
from {{ ref('quality_expectations') }}
where
    severity = 'warning'
    and not is_passed
