"""The tables of the quality of the data."""

from icp_refinery.report.tables.model import Column, Definition

TABLES: dict[str, Definition] = {
    "inferences": (
        "What was inferred, dropped or joined",
        "select * from marts.quality_inferences where record_count > 0 order by inference",
        [
            Column("explanation", "What", "name"),
            Column("record_count", "How many", "count"),
            Column("amount", "Money that rests on it ({currency})", "money"),
            Column("amount_kind", "Money is", "code"),
            Column("what_to_do", "What makes it unnecessary", "name"),
        ],
    ),
    "rejects": (
        "Input rows that could not be used",
        "select * from marts.quality_rejects where rule = 'all' or rejected_count > 0 order by rule = 'all' desc, entity, rule",
        [
            Column("entity", "Entity", "code"),
            Column("rule", "Rule that was broken", "code"),
            Column("read_count", "Rows read", "count"),
            Column("accepted_count", "Accepted", "count"),
            Column("rejected_count", "Rejected", "count"),
            Column("rejected_share", "Rejected", "share"),
        ],
    ),
    "expectations": (
        "What was expected of the data",
        """
        select *, case when is_passed then 'passed' when not is_passed then 'failed' else 'not judged' end as outcome
        from marts.quality_expectations
        order by case when not is_passed then 0 when is_passed then 1 else 2 end, severity, suite, expectation
        """,
        [
            Column("says", "Expected", "name"),
            Column("outcome", "Result"),
            Column("severity", "If it fails", "code"),
            Column("relation", "About"),
            Column("observed", "Observed", "name"),
            Column("expected", "Would pass", "name"),
            Column("checked_count", "Checked (n)", "count"),
            Column("failing_count", "Not as expected", "count"),
        ],
    ),
}
