"""What happened since to the records that were written, and what a workflow did: from journals, settings and marts."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from icp_refinery.hubspot.config import Config
from icp_refinery.hubspot.flow_runs import is_of_flows
from icp_refinery.hubspot.journal import object_of, read_lines
from icp_refinery.hubspot.objects import COMPANIES, draw
from icp_refinery.project import TIER_NAMES

STAGES = ("mql", "sql", "opportunity", "won")
Row = dict[str, Any]


def outcome(marts: duckdb.DuckDBPyConnection, config: Config, runs: Path) -> Row:
    """`written`: by tier, companies written to and how many have since entered each stage. `flows`: the lift of each workflow.

    `until` is the newest day that the marts know of. `runs` is the folder of journals. A company counts from the day on which it
    was first written to; one that was taken back, no more. A workflow counts from the day that the settings say
    (`nurture.switched_on`). Counts are of companies.
    """
    since = written_since(runs, config)
    [(until,)] = marts.execute("select max(entered_on) from marts.fct_stage_entries").fetchall()
    return {
        "until": until,
        "written": _since_written(marts, since),
        "flows": [lift(marts, config, segment, day) for segment, day in sorted(config.nurture.switched_on.items())],
    }


def written_since(runs: Path, config: Config) -> dict[str, tuple[str, str]]:
    """By company record the day on which its tier was first written, and the tier."""
    journals = []
    for path in runs.glob("journal-*.jsonl"):
        if not is_of_flows(path):
            journals.append((str(next(read_lines(path, "journal"), {}).get("begun_at")), path))
    tier = config.properties["icp_tier"]
    found: dict[str, tuple[str, str]] = {}
    for _, path in sorted(journals):
        is_back = path.stem.endswith("-reverted")
        sent: dict[str, tuple[str, str]] = {}
        for line in read_lines(path):
            if line["kind"] not in ("batch", "result") or object_of(line) != COMPANIES.name:
                continue
            if line["kind"] == "batch":
                sent |= {record: (line["at"][:10], pairs[tier][1]) for record, pairs in line["records"].items() if tier in pairs}
                continue
            for record in sent.keys() & set(line["written"]):
                if is_back or not sent[record][1]:
                    found.pop(record, None)
                else:
                    found.setdefault(record, sent[record])
    return found


def _since_written(marts: duckdb.DuckDBPyConnection, since: dict[str, tuple[str, str]]) -> list[Row]:
    rows = marts.execute(
        f"""
        with written as (
            select companies.account_id, min(cast(day as date)) as since, min(tier) as tier
            from (select unnest($records) as hubspot_company_id, unnest($days) as day, unnest($tiers) as tier) as records
            inner join marts.sync_hubspot_companies as companies using (hubspot_company_id)
            where companies.account_id is not null
            group by companies.account_id
        )
        select
            written.tier, min(since) as since, count(distinct written.account_id) as companies,
            {", ".join(f"count(distinct written.account_id) filter (stage = '{stage}') as {stage}" for stage in STAGES)}
        from written
        left join marts.fct_stage_entries as entries on written.account_id = entries.account_id and since < entries.entered_on
        group by written.tier
        order by written.tier = 'deprioritized', written.tier
        """,
        {
            "records": list(since),
            "days": [day for day, _ in since.values()],
            "tiers": [tier for _, tier in since.values()],
        },
    )
    names = [column[0] for column in rows.description]
    return [dict(zip(names, row, strict=True)) for row in rows.fetchall()]


def lift(marts: duckdb.DuckDBPyConnection, config: Config, segment_id: str, day: date) -> Row:
    """How many times as many companies reached the goal with the workflow as without: a ratio of two shares, with its interval.

    Compared are the companies with a contact that the workflow would let in and that had not reached the goal before; all count
    in the group that they were drawn into, whatever became of them. 95 % score interval (Koopman 1984).
    """
    settings = config.nurture
    groups = marts.execute(
        f"""
        with companies as (
            select distinct account_id, {draw("account_id")} as draw
            from marts.sync_hubspot_contacts
            where icp_segment = $segment and list_contains($roles, icp_role)
        ),
        goals as (
            select account_id, min(entered_on) as reached_on, min(entered_on) filter (entered_on >= $day) as reached_since
            from marts.fct_stage_entries
            where stage = $goal
            group by account_id
        )
        select draw < $share as is_held_out, count(*), count(reached_since)
        from companies
        left join goals using (account_id)
        where reached_on is null or reached_on >= $day
        group by is_held_out
        """,
        {
            "segment": segment_id,
            "roles": list(settings.roles),
            "day": day,
            "goal": settings.goal_stage,
            "share": settings.holdout_share,
        },
    ).fetchall()
    counted = {is_held_out: (companies, reached) for is_held_out, companies, reached in groups}
    (nurtured, reached), (held_out, reached_without) = counted.get(False, (0, 0)), counted.get(True, (0, 0))
    found: Row = {"segment_id": segment_id, "goal": settings.goal_stage, "since": day}
    found |= {"nurtured": nurtured, "nurtured_reached": reached, "held_out": held_out, "held_out_reached": reached_without}
    return found | dict(zip(("lift", "low", "high"), ratio(reached, nurtured, reached_without, held_out), strict=True))


def ratio(reached: int, n: int, reached_without: int, n_without: int) -> tuple[float | None, float | None, float | None]:
    """How many times the share `reached` of `n` is that without, with its 95 % interval; None where there is no such bound."""
    if not n or not n_without or not reached + reached_without:
        return None, None, None
    import numpy as np
    from statsmodels.stats.proportion import confint_proportions_2indep

    with np.errstate(divide="ignore"):
        low, high = confint_proportions_2indep(reached, n, reached_without, n_without, compare="ratio", method="score")
    value = (reached / n) / (reached_without / n_without) if reached_without else None
    return value, float(low), float(high) if np.isfinite(high) else None


def sentences(found: Row) -> list[str]:
    """The outcome in words, one sentence for each tier and each workflow; empty where nothing was written."""
    said = []
    for row in found["written"]:
        reached = ", ".join(f"{row[stage]:,} {stage}" for stage in STAGES)
        written = f"{row['companies']:,} companies were first written to in HubSpot, from {row['since']} on"
        is_later = found["until"] is not None and row["since"] < found["until"]
        so_far = f"since then {reached}" if is_later else f"the marts end before, on {found['until']}"
        said.append(f"{TIER_NAMES[row['tier']]}: {written}; {so_far}.")
    return said + [_told(row) for row in found["flows"]]


def _told(row: Row) -> str:
    told = (
        f"Nurture of {row['segment_id']} since {row['since']}: {row['nurtured_reached']:,} of {row['nurtured']:,} companies"
        f" reached {row['goal']}, {row['held_out_reached']:,} of {row['held_out']:,} of those held out"
    )
    if row["low"] is None:
        return f"{told}: nothing to compare yet."
    value = "" if row["lift"] is None else f"{row['lift']:.2f} times as many; "
    interval = f"95 % interval {row['low']:.2f} " + ("or more" if row["high"] is None else f"to {row['high']:.2f}")
    lowers = row["high"] is not None and row["high"] < 1
    judged = "it raises" if row["low"] > 1 else "it lowers" if lowers else "it cannot tell yet"
    return f"{told}: {value}{interval}: {judged}."
