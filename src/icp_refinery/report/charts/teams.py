"""Sales and Marketing: the funnel, where the effort goes, whether both mean the same accounts."""

import pandas as pd

from icp_refinery.project import PRIORITIZED
from icp_refinery.report import words
from icp_refinery.report.charts.builder import CYCLES_SHOWN, PICKED_SET, Figure, ends, forest, frame, ridges, shares, short, tips
from icp_refinery.report.charts.theme import ACCENT, LIGHT, MID
from icp_refinery.report.labels import ALIGNED, CHOICES, STAGES
from icp_refinery.report.tables.model import LEAST_SHOWN, Company, Marts

WINDOWS = (30, 90, 180)


def funnel(marts: Marts, company: Company) -> Figure:
    """Conversion to the next stage within 30, 90 and 180 days, each of entries at least that old."""
    figure = Figure(
        "funnel", "How far leads get, and how fast", "Share that reaches the next stage", f"entries up to {company.as_of}"
    )
    windows = ",\n".join(
        f"matured_{days}_days_count, conversion_{days}_days_rate, conversion_{days}_days_low, conversion_{days}_days_high"
        for days in WINDOWS
    )
    table = frame(
        marts,
        f"""
        select tier, segment_id, stage, stage_number, entered_count, {windows}
        from marts.icp_funnel where stage <> 'won' order by tier <> 'all', tier, segment_id <> 'all', segment_id, stage_number
        """,
    )
    for days in WINDOWS:
        rates = [f"conversion_{days}_days_{what}" for what in ("rate", "low", "high")]
        table[rates] = table[rates].astype(float).mask(table[f"matured_{days}_days_count"] < LEAST_SHOWN)
    parts = []
    for days in WINDOWS:
        part = table[["tier", "segment_id", "stage", "entered_count"]].assign(row=table["stage_number"], series=f"{days} days")
        part["stage"] = table["stage"].map(words.code)
        part["n"], part["value"] = table[f"matured_{days}_days_count"], table[f"conversion_{days}_days_rate"]
        if days == WINDOWS[-1]:
            part["low"], part["high"] = table[f"conversion_{days}_days_low"], table[f"conversion_{days}_days_high"]
            part["name"] = table["stage"].map(STAGES)
            part["figure"] = [
                f"{shares(rate)} of {int(n):,}"
                if n >= LEAST_SHOWN
                else f"too few, n {int(n):,}"
                if n > 0
                else "none is old enough"
                for rate, n in zip(part["value"], part["n"], strict=True)
            ]
        parts.append(part)
    drawn = pd.concat(parts)
    if drawn["value"].notna().sum() == 0:
        return figure.unknown("Not known: no lead or opportunity is recorded that is old enough to have converted.", table)
    tooltip = tips(
        ("From stage", "stage"),
        ("Within", "series"),
        ("Conversion", "value", ".1%"),
        *ends(".1%"),
        ("Old enough (n)", "n", ","),
        ("Entered", "entered_count", ","),
    )
    series = {"30 days": (LIGHT, "diamond"), "90 days": (MID, "square"), "180 days": (ACCENT, "circle")}
    spec = forest(drawn, "Share that reached the next stage", tooltip, series, form=".0%", filters=PICKED_SET, room=120)
    spec["layer"][1]["encoding"]["x"]["scale"]["domain"] = [0, 1]
    everyone = table[(table["tier"] == "all") & (table["segment_id"] == "all")]
    plural = {"lead": "leads", "mql": "MQLs", "sql": "SQLs", "opportunity": "opportunities"}
    entered = ", ".join(f"{int(row.entered_count):,} {plural[row.stage]}" for row in everyone.itertuples())
    note = (
        f"Entered in all: {entered}. Each rate is of the entries that are at least as old as its window; at the right, within "
        "180 days and its n. The line is the 95 % interval of 180 days."
    )
    return figure.drawn(spec, note, table)


def alignment(marts: Marts, company: Company) -> Figure:
    """Share of leads, opportunities, wins, value and spend inside a tier, over the year up to the end of each cycle."""
    figure = Figure(
        "alignment",
        "How much of the effort goes where it pays",
        "Share inside the tiers best fit and good fit, or the chosen tier",
        f"up to {company.as_of}",
    )
    columns = {name: name if name in {"won_value", "spend"} else f"{name}_count" for name in ALIGNED}
    sums = ", ".join(f"sum({column}) over the_year as {name}" for name, column in columns.items())
    table = frame(
        marts,
        f"""
        with cycles as (
            select * from marts.icp_alignment where is_finished
        )

        select cycle_end, tier, {sums}
        from cycles
        window the_year as (
            partition by tier order by cycle_end range between interval 1 year - interval 1 day preceding and current row
        )
        qualify cycle_end >= (select min(cycle_start) + interval 1 year - interval 2 day from cycles)
            and dense_rank() over (order by cycle_end desc) <= {CYCLES_SHOWN}
        order by cycle_end, tier
        """,
    )
    if table.empty:
        return figure.unknown("Not known: less than a year of finished cycles.", table)
    days = pd.to_datetime(table["cycle_end"])
    figure = figure.of(f"years that end from {words.day(days.min())} to {words.day(days.max())}")
    for name in ALIGNED:
        table[name] = table[name].astype(float)
    both = table[table["tier"].isin(PRIORITIZED)].groupby("cycle_end", as_index=False)[list(ALIGNED)].sum()
    totals = table.groupby("cycle_end")[list(ALIGNED)].sum()
    keyed = pd.concat([both.assign(tier="all"), table])
    parts = []
    for row, (name, heading) in enumerate(ALIGNED.items()):
        total = keyed["cycle_end"].map(totals[name])
        part = pd.DataFrame({"tier": keyed["tier"], "day": keyed["cycle_end"], "row": row, "n": total})
        part["value"] = (keyed[name] / total.where(total > 0)).where(total > 0)
        newest = part["day"] == part["day"].max()
        of = [f"{company.currency} {short(n)}" if name in {"won_value", "spend"} else f"{int(n):,}" for n in part["n"]]
        part["figure"] = [
            f"{shares(value)} of {n}" if last and value == value else "none" if last else None
            for value, n, last in zip(part["value"], of, newest, strict=True)
        ]
        part["name"] = [heading if last else None for last in newest]
        parts.append(part)
    drawn = pd.concat(parts, ignore_index=True)
    latest = drawn[drawn["day"] == drawn["day"].max()]
    listed = latest[latest["tier"] != "all"].assign(measure=latest["name"], share=latest["value"], of=latest["n"])
    if drawn["value"].notna().sum() == 0:
        return figure.unknown(
            "Not known: no leads, opportunities or spend are recorded.", listed[["measure", "tier", "share", "of"]]
        )
    tooltip = tips(
        ("Year up to", "day", "%d %b %Y"),
        ("Share", "value", ".1%"),
        ("Of all (n, or money)", "n", ",.0f"),
    )
    spec = ridges(drawn, 1, tooltip, "datum.tier === tier")
    note = (
        "Each line runs from 0 to 100 %; at the right the latest year and its n. Counts of all there is, not of a sample, so "
        f"there is no interval. At most the {CYCLES_SHOWN} last finished cycles."
    )
    return figure.drawn(spec, note, listed[["measure", "tier", "share", "of"]].reset_index(drop=True))


def agreement(marts: Marts, company: Company) -> Figure:
    """Overlap of what Marketing targets, Sales works, and the ICP wants, by cycle."""
    figure = Figure(
        "agreement",
        "Do both teams mean the same accounts?",
        "Accounts chosen by both, of those chosen by either",
        f"up to {company.as_of}",
    )
    table = frame(
        marts,
        f"""
        select cycle_end, pair, prospect_count, either_count, both_count, overlap, overlap_low, overlap_high, kappa
        from marts.icp_agreement where is_finished
        qualify dense_rank() over (order by cycle_end desc) <= {CYCLES_SHOWN}
        order by cycle_end, pair
        """,
    )
    if table["overlap"].notna().sum() == 0:
        return figure.unknown("Not known: it is not recorded whom two of the sides choose.", table)
    days = pd.to_datetime(table["cycle_end"])
    figure = figure.of(f"cycles that end from {words.day(days.min())} to {words.day(days.max())}")
    pairs = [pair for pair in CHOICES if pair in set(table["pair"])]
    drawn = pd.DataFrame(
        {
            "row": [pairs.index(pair) for pair in table["pair"]],
            "day": table["cycle_end"],
            "value": table["overlap"],
            "low": table["overlap_low"],
            "high": table["overlap_high"],
            "n": table["either_count"],
            "both": table["both_count"],
            "kappa": table["kappa"],
        }
    )
    newest = (days == days.max()).to_numpy()
    drawn["name"] = [CHOICES[pair] if last else None for pair, last in zip(table["pair"], newest, strict=True)]
    drawn["figure"] = [
        f"{shares(value)} of {int(n):,}" if last else None
        for value, n, last in zip(drawn["value"], drawn["n"], newest, strict=True)
    ]
    tooltip = tips(
        ("Cycle up to", "day", "%d %b %Y"),
        ("Overlap", "value", ".1%"),
        *ends(".1%"),
        ("Chosen by both", "both", ","),
        ("Chosen by either (n)", "n", ","),
        ("Agreement beyond chance", "kappa", ".2f"),
    )
    highest = float(drawn["high"].max())
    top = next(step for step in (0.05, 0.1, 0.2, 0.5, 1.0) if highest <= step)
    note = (
        f"Each line runs from 0 to {top:.0%}; at the right the latest cycle and its n. Bands are 95 % intervals. At most the "
        f"{CYCLES_SHOWN} last finished cycles.".replace("%;", " %;")
    )
    return figure.drawn(ridges(drawn, top, tooltip, None), note, table)
