"""What SQL tests say badly: whether the data still looks like itself.

The suites are the YAML files beside this one; docs/quality.md describes them. Two kinds of expectation:

- *over time*: a measure (`volume`, `share`, `level`, `mix`) of the latest twelve months, one by one and the last 3, 6 and 12
  together, is set beside the twelve months before each. How far it may move follows from the data: five standard errors,
  twice the largest jump that older months have seen, and a change that matters (`change`), whichever is the most. SQL adds up
  a row per month, so memory does not grow with the data.
- *rows*: any expectation of Great Expectations, on at most `SAMPLED_ROWS` rows, chosen by a hash of the id.

Great Expectations judges both and writes its Data Docs; its import takes seconds and happens only in `evaluate`.
"""

from icp_refinery.expectations.evaluation import evaluate
from icp_refinery.expectations.suites import SUITES, read_suites

__all__ = ["SUITES", "evaluate", "read_suites"]
