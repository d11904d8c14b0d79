"""The verdicts: Great Expectations judges, writes its Data Docs, and what it found becomes rows."""

import html
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

LEAST_ROWS = 30  # for a share of them to be judged
KEYS = 5
NOT_ENOUGH = "not enough data"
RESULT_TYPES = {
    "suite": "str",
    "expectation": "str",
    "relation": "str",
    "column_name": "str",
    "severity": "str",
    "says": "str",
    "observed": "str",
    "expected": "str",
    "because": "str",
    "failing_keys": "str",
    "is_passed": "boolean",
    "checked_count": "int64",
    "failing_count": "int64",
}


Part = tuple[Mapping[str, Any], list[dict[str, Any]], pd.DataFrame]  # suite, expectations, what is known


def judge(compared: list[Part], sampled: list[Part], docs: Path | None) -> list[dict[str, Any]]:
    """A row per expectation: comparisons over time, all in one frame, and samples of rows. Writes the Data Docs, if asked."""
    os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when it is imported
    import great_expectations as gx
    from great_expectations.data_context.types import base
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    settings = base.DataContextConfig(
        store_backend_defaults=base.InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        data_docs_sites={"quality": _site(docs)} if docs is not None else {},
        progress_bars=base.ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    context = gx.get_context(mode="ephemeral", project_config=settings)
    source = context.data_sources.add_pandas("icp_refinery")

    def validated(name: str, frame: pd.DataFrame, keys: list[str], form: str, asked: list[tuple]) -> dict[str, Any]:
        """The results by expectation; `asked`: expectation, type and arguments."""
        expectations = [
            ExpectationConfiguration(
                type=kind,
                kwargs=arguments,
                meta={"name": item["name"]},
                description=f"{item['name']}: {item['says']}",
                notes=item["because"],
                severity=item["severity"],
            )
            for item, kind, arguments in asked
        ]
        suite = context.suites.add(gx.ExpectationSuite(name=name, expectations=expectations))
        batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe("all")
        definition = context.validation_definitions.add(gx.ValidationDefinition(name=name, data=batch, suite=suite))
        result = definition.run(
            batch_parameters={"dataframe": frame},
            result_format={
                "result_format": form,
                "unexpected_index_column_names": keys,
                "partial_unexpected_count": KEYS,
                "return_unexpected_index_query": False,
            },
        )
        return {each.expectation_config.meta["name"]: each for each in result.results}

    found = []
    frame = pd.concat([comparisons for _, _, comparisons in compared]) if compared else pd.DataFrame({"expectation": []})
    judged = frame["expectation"].unique()
    results = {}
    if len(judged):
        wide = {name: frame["surprise"].where(frame["expectation"] == name) for name in judged}
        results = validated(
            "over time",
            _escaped(frame).assign(**wide),
            ["months", "value", "observed", "lowest", "highest"],
            "COMPLETE",
            [
                (item, "expect_column_values_to_be_between", {"column": item["name"], "max_value": 1.0})
                for _, items, _ in compared
                for item in items
                if item["name"] in wide
            ],
        )
    for suite, items, comparisons in compared:
        found += [_over_time_result(suite, item, results.get(item["name"]), comparisons) for item in items]
    for suite, items, rows in sampled:
        if rows.empty:
            found += [_row(suite, item, observed=NOT_ENOUGH) for item in items]
            continue
        asked = [(item, item["type"], item["arguments"]) for item in items]
        results = validated(suite["suite"], _escaped(rows), [suite["id"]], "SUMMARY", asked)
        found += [_rows_result(suite, item, results[item["name"]]) for item in items]
    if docs is not None:
        context.build_data_docs(site_names=["quality"])
    return found


def not_published(suite: Mapping[str, Any], item: Mapping[str, Any]) -> dict[str, Any]:
    """The row of an expectation that compares with what was published, where nothing was."""
    return _row(suite, item, observed="nothing was published yet")


def _site(docs: Path) -> dict[str, Any]:
    shutil.rmtree(docs, ignore_errors=True)
    docs.mkdir(parents=True)
    return {
        "class_name": "SiteBuilder",
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs)},
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
    }


def _escaped(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with its texts escaped, for the HTML of the Data Docs."""
    texts = frame.select_dtypes(["object", "str"]).columns
    return frame.assign(
        **{name: [html.escape(x, quote=False) if isinstance(x, str) else x for x in frame[name]] for name in texts}
    )


def _rows_result(suite: Mapping[str, Any], item: Mapping[str, Any], result: Any) -> dict[str, Any]:
    found = result.result
    if (result.exception_info or {}).get("raised_exception") or not found:
        raise ValueError(f"The expectation {item['name']} could not be judged: {result.exception_info}")
    count = int(found.get("element_count", 0)) - int(found.get("missing_count") or 0)
    if count < item.get("least_rows", LEAST_ROWS):
        return _row(suite, item, observed=f"{NOT_ENOUGH}: {count} rows", checked=count)
    failing = int(found.get("unexpected_count", 0))
    keys = [str(row[suite["id"]]) for row in found.get("partial_unexpected_index_list") or []]
    mostly = item["arguments"].get("mostly", 1.0)
    return _row(
        suite,
        item,
        observed=f"{1 - failing / count:.1%} of {count:,} rows",
        expected=f"at least {mostly:.0%} of rows",
        passed=bool(result.success),
        checked=count,
        failing=failing,
        keys=[html.unescape(key) for key in keys] if not result.success else [],
    )


def _over_time_result(suite: Mapping[str, Any], item: Mapping[str, Any], result: Any, frame: pd.DataFrame) -> dict[str, Any]:
    own = frame[frame["expectation"] == item["name"]]
    if own.empty:
        return _row(suite, item, observed=NOT_ENOUGH)
    top = own.iloc[0]
    beyond = own[own["surprise"] > 1]
    form = _as_number if "volume" in item or "level" in item else "{:.1%}".format
    of = f" {top['value']}" if top["value"] else ""
    return _row(
        suite,
        item,
        observed=f"{top['months']}:{of} {form(top['observed'])} (n {int(top['n']):,})",
        expected=f"{form(top['lowest'])} to {form(top['highest'])}, after {form(top['before'])} in the year before",
        passed=bool(result.success),
        checked=len(own),
        failing=len(beyond),
        keys=[f"{row.months} {row.value}".strip() for row in beyond.head(KEYS).itertuples()],
    )


def _as_number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _row(
    suite: Mapping[str, Any],
    item: Mapping[str, Any],
    observed: str,
    expected: str = "",
    passed: bool | None = None,
    checked: int = 0,
    failing: int = 0,
    keys: list[str] | None = None,
) -> dict[str, Any]:
    return {
        "suite": suite["suite"],
        "expectation": item["name"],
        "relation": suite["relation"],
        "column_name": item.get("column", ""),
        "severity": item["severity"],
        "says": item["says"],
        "observed": observed,
        "expected": expected,
        "because": " ".join(item["because"].split()),
        "failing_keys": json.dumps(keys or [], ensure_ascii=False),
        "is_passed": pd.NA if passed is None else passed,
        "checked_count": checked,
        "failing_count": failing,
    }
