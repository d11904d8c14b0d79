"""What the report says, read from the marts: facts and sentences for the template."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from icp_refinery.project import MOST_ACCOUNTS, project_directory
from icp_refinery.report import first_page
from icp_refinery.report.first_page import add_recent_wins, add_review, glance, last_quarters, tier_shares, upside
from icp_refinery.report.labels import DIMENSIONS, DISAGREEMENTS, TIERS
from icp_refinery.report.tables import figure_table, tables
from icp_refinery.report.tables.comparison import comparison
from icp_refinery.report.tables.model import BY_TIER, LEAST_SHOWN, Company, Marts, Row, rows
from icp_refinery.report.unknown import unknown
from icp_refinery.report.words import day

PERSONA_LINES = 3
# What is not told of any segment without contracts, or products.
NEEDS = {
    "contracts": ["multi_year_share", "average_annual_contract_value", "average_total_contract_value"],
    "products": ["add_on_share"],
}
RETENTION = [f"{kind}_revenue_retention{end}" for kind in ("gross", "net") for end in ("", "_low", "_high")]
# What is not told of a segment where it is of too few, by its n.
RATES = {
    "pursuit_count": ["win_rate", "win_rate_low", "win_rate_high"],
    "order_count": ["multi_year_share", "add_on_share", "average_annual_contract_value", "average_total_contract_value"],
    "won_with_dates_count": ["median_days_to_close"],
    "retention_customer_count": ["customer_retention"],
    "starting_mrr_customer_count": [*RETENTION],
}


def read(marts: Marts, manifest: Mapping[str, Any], hubspot_record_url: str | None = None) -> Row:
    """All that the template is given."""
    segments = read_segments(marts)
    company = read_company(segments, manifest)
    made = tables(marts, company, {segment["segment_id"]: segment["segment_name"] for segment in segments})
    add_record_urls(marts, made["disagreements"].rows, hubspot_record_url)
    add_review(segments, made["review"].rows)
    quarters = last_quarters(marts)
    add_recent_wins(marts, segments, quarters)
    facts: Row = {
        "manifest": manifest,
        "company": company,
        "currency": company.currency,
        "is_demo": manifest["connectors"] == ["sample"],
        "segments": segments,
        "glance": glance(segments, company),
        "shares": tier_shares(marts, quarters),
        "upside": upside(segments, company),
        "most_to_stop": first_page.MOST_TO_STOP,
        "comparison": comparison(segments, company) if segments else "",
        "totals": read_totals(marts),
        "tiers": [tier for tier in TIERS if any(segment["tier"] == tier for segment in segments)],
        "adoption": next((row for row in made["adoptions"].rows if row["is_in_force"]), None),
        "backtest": read_backtest(marts),
        "savings": {row["what_if"]: row for row in made["what-if"].rows},
        "review": made["review"].rows,
        "disagreements": sorted(
            rows(marts, "select reason, count(*) as n, sum(at_stake) as at_stake from marts.icp_disagreements group by all"),
            key=lambda row: list(DISAGREEMENTS).index(row["reason"]),
        ),
        "leaks": read_leaks(marts),
        "renewals_inferred": read_inferred_renewals(marts),
        "tables": made,
        "figures": read_figures(marts, company, {segment["segment_id"]: segment["segment_name"] for segment in segments}),
        "nurture": nurture_plans(marts),
        "outcome": hubspot_outcome(marts),
    }
    facts["unknown"] = unknown(marts, facts)
    facts["missing"] = missing_inputs(marts)
    facts["filter"] = {
        "segments": [{key: segment[key] for key in ("segment_id", "segment_name", "tier")} for segment in segments],
        "tiers": {tier: TIERS[tier][0] for tier in facts["tiers"]},
    }
    return facts


def read_segments(marts: Marts) -> list[Row]:
    """The segments in force, best first, each with what tells it from all accounts."""
    segments = rows(
        marts,
        f"""
        select *,
            account_count - customer_count as prospect_count,
            net_amount / nullif(sum(net_amount) over (), 0) as net_amount_share,
            case
                when value_basis = 'wins' then won_pursuit_count / nullif(sum(won_pursuit_count) over (), 0)
                else net_amount / nullif(sum(net_amount) over (), 0)
            end as won_share,
            account_count / nullif(sum(account_count) over (), 0) as account_share,
            pursuit_count / nullif(sum(pursuit_count) over (), 0) as pursuit_share,
            (
                select count(*) from marts.icp_disagreements as accounts
                where accounts.segment_id = icp_segments.segment_id and accounts.reason = 'nobody'
            ) as unworked_count
        from marts.icp_segments
        order by {BY_TIER}, value_per_pursuit desc nulls last, account_count desc, segment_id
        """,
    )
    [known] = rows(
        marts,
        "select exists (from marts.fct_contracts) as contracts, exists (from marts.dim_products) as products",
    )
    unknown_of = [rate for what, rates in NEEDS.items() if not known[what] for rate in rates]
    for segment in segments:
        segment |= dict.fromkeys(unknown_of)
        for n, rates in RATES.items():
            if segment[n] < LEAST_SHOWN:
                segment |= dict.fromkeys(rates)
        segment["persona"] = persona(marts, segment["segment_id"])
    return segments


def read_company(segments: list[Row], manifest: Mapping[str, Any]) -> Company:
    """The units of the page, and whether a first deal was ever lost."""
    return Company(
        currency=manifest["reporting_currency"],
        value_basis=segments[0]["value_basis"] if segments else "net_amount",
        as_of=day(manifest["as_of"]),
        has_losses=any(row["won_pursuit_count"] < row["pursuit_count"] for row in segments),
    )


def persona(marts: Marts, segment_id: str) -> list[tuple[str, list[Row]]]:
    """By dimension, what the segment has more often than all accounts: its interval lies above the share of all."""
    found = rows(
        marts,
        """
        select dimension, value, accounts, share, overall_share, index_against_all
        from marts.icp_segment_profiles
        where segment_id = $1 and share_low > overall_share
        union all
        select 'product', item_name, customer_count, attach_rate, overall_attach_rate, index_against_all
        from marts.icp_product_mix
        where segment_id = $1 and item_type = 'product' and item_name is not null and attach_rate_low > overall_attach_rate
        order by index_against_all desc, dimension, value
        """,
        segment_id,
    )
    labels = DIMENSIONS | {"product": "Products"}
    lines = [(label, [row for row in found if row["dimension"] == dimension]) for dimension, label in labels.items()]
    return [(label, of_label[:PERSONA_LINES]) for label, of_label in lines if of_label]


def add_record_urls(marts: Marts, accounts: list[Row], url: str | None) -> None:
    """Where an account is in HubSpot, if it is one company there and the address of companies is set."""
    if url is None:
        return
    ids = {
        row["account_id"]: row["id"]
        for row in rows(
            marts,
            """
            select account_id, min(hubspot_company_id) as id from marts.sync_hubspot_companies
            where withheld_reason is null group by account_id having count(*) = 1
            """,
        )
    }
    for account in accounts:
        if account["account_id"] in ids:
            account["record_url"] = url.replace("{id}", quote(ids[account["account_id"]], safe=""))


def read_totals(marts: Marts) -> Row:
    """Figures of the whole company, and of how many first deals its figures are learned."""
    [totals] = rows(
        marts,
        """
        select
            (select count(*) from marts.dim_accounts) as account_count,
            (select count(*) from marts.fct_customers) as customer_count,
            (select count(*) from marts.fct_orders where order_type <> 'credit') as order_count,
            (select count(margin_amount) from marts.fct_orders where order_type <> 'credit') as order_with_margin_count,
            (select count(*) from marts.fct_orders where net_amount is null) as order_without_amount_count,
            (select min(closed_at) from marts.fct_orders) as first_order_at,
            (select max(closed_at) from marts.fct_orders) as last_order_at,
            (select sum(pursuit_count) from marts.icp_segments) as learned_pursuit_count,
            case
                when (select count(*) from marts.fct_opportunities) = 0 then (select count(*) from marts.fct_customers)
                else (
                    select count(distinct account_id) from marts.fct_opportunities
                    where is_closed and closed_at is not null and coalesce(opportunity_type, 'new_business') = 'new_business'
                )
            end as pursuit_count
        """,
    )
    totals["is_sampled"] = totals["pursuit_count"] > (totals["learned_pursuit_count"] or 0)
    totals["most_backtested"] = MOST_ACCOUNTS
    return totals


def read_leaks(marts: Marts) -> list[Row]:
    """The traits that seem to know the outcome, and why; a pair with one of them is not told again."""
    return rows(
        marts,
        """
        select attribute, min(leak_note) as leak_note
        from marts.icp_attribute_effects
        where verdict = 'leak_suspected' and not contains(attribute, ' & ')
        group by attribute
        order by attribute
        """,
    )


def read_inferred_renewals(marts: Marts) -> Row:
    """How many renewals no order names, and their MRR."""
    [found] = rows(marts, "select record_count, amount from marts.quality_inferences where inference = 'renewals_inferred'")
    return found


def read_backtest(marts: Marts) -> Row:
    """The backtest over all cut-offs: what is followed, how many cut-offs, and by measure, scorer and share a row."""
    found = rows(marts, "select * from marts.icp_backtest where cutoff = 'all'")
    [cutoffs] = rows(marts, "select count(distinct cutoff) as n from marts.icp_backtest where cutoff <> 'all'")
    followed = "adopted" if any(row["scorer"] == "adopted" for row in found) else "segments"
    return {
        "followed": followed,
        "cutoff_count": cutoffs["n"],
        "note": next((row["note"] for row in found if row["note"] and row["measure"] == "value_captured"), None),
        "of": {f"{row['measure']} {row['scorer']} {row['share']:.2f}": row for row in found},
    }


def read_figures(marts: Marts, company: Company, names: Mapping[str, str]) -> dict[str, Row]:
    """The charts by id, each with its figures as a table."""
    from icp_refinery.report import charts

    drawn = charts.figures(marts, company)
    return {id: vars(figure) | {"rows": figure_table(figure, company, names)} for id, figure in drawn.items()}


def nurture_plans(marts: Marts) -> Markup | str:
    """How to nurture the segments to prioritize, or why that cannot be planned."""
    from icp_refinery import nurture
    from icp_refinery.hubspot.config import ConfigError

    try:
        return Markup(nurture.as_html(nurture.plans(marts)))
    except ConfigError as problem:
        return f"The settings of the plans cannot be read: {problem}"


def hubspot_outcome(marts: Marts) -> list[str]:
    """What happened since to the companies that were written to in HubSpot, and what the workflows did."""
    from icp_refinery.hubspot.config import Config, ConfigError, load_config
    from icp_refinery.hubspot.errors import PlanError
    from icp_refinery.hubspot.outcome import outcome, sentences

    folder = project_directory() / "activation"
    try:
        config = load_config(folder / "hubspot.yml") if (folder / "hubspot.yml").exists() else Config()
        return sentences(outcome(marts, config, folder / "runs"))
    except (ConfigError, PlanError) as problem:
        return [f"What came of HubSpot cannot be read: {problem}"]


def missing_inputs(marts: Marts) -> dict[str, list[Row]]:
    """By input that is not there, which marts lack what; their reason without its opening, which names the input again."""
    missing: dict[str, list[Row]] = {}
    for row in rows(marts, "select * from marts.icp_missing_inputs order by input, mart, reason"):
        says = row["reason"].removeprefix(f"The input has no {row['input']}: ").rstrip(".")
        missing.setdefault(row["input"], []).append({"mart": row["mart"], "says": says})
    return missing
