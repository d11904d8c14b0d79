"""The published marts, a portal on loopback, and what a person does with both: the tests of `icp hubspot` begin here."""

import json
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
from typer.testing import CliRunner, Result

from hubspot_portal import TOKEN, HubSpotPortal, SimulatedClock
from icp_refinery.cli import app
from icp_refinery.hubspot.apply import Outcome, apply_plan
from icp_refinery.hubspot.client import Portal
from icp_refinery.hubspot.config import Config
from icp_refinery.hubspot.journal import journal_of, read_lines
from icp_refinery.hubspot.objects import COMPANIES, CONTACTS
from icp_refinery.hubspot.plan import read_plan, write_plan
from icp_refinery.hubspot.revert import revert

SEGMENTS = {"seg_a": "Energy", "seg_b": "Retail; 200 or more employees"}
TODAY = date(2026, 11, 22)
OWN = tuple(Config().properties)


def row(tier: str = "tier_1", segment: str = "seg_a", score: str | None = "72.5", reasons: str = "energy (+30)", **other: Any):
    values = {"icp_tier": tier, "icp_segment": segment, "icp_fit_score": score, "icp_reasons": reasons, "icp_disagreement": None}
    return {"account_id": None, "account_name": None, "withheld_reason": None} | values | other


def contact(tier: str = "tier_1", role: str = "decision_maker", role_fit: str = "high", **other: Any) -> dict[str, Any]:
    return row(tier) | {"icp_role": role, "icp_role_fit": role_fit} | other


@dataclass
class Desk:
    """The portal, the published marts, and what a person at this machine does with both."""

    hubspot: HubSpotPortal
    folder: Path
    clock: SimulatedClock = field(default_factory=SimulatedClock)
    published: int = 0
    config: dict[str, Any] = field(default_factory=dict)

    @property
    def plan(self) -> Path:
        return self.folder / "runs" / "plan.jsonl"

    @property
    def state(self) -> Path:
        return self.folder / "published" / "current"

    @property
    def manifest(self) -> dict[str, Any]:
        return json.loads((self.state / "manifest.json").read_text())

    def publish(
        self,
        rows: dict[str, dict[str, Any]],
        segments: dict[str, str] | None = None,
        contacts: dict[str, dict[str, Any]] | None = None,
        deals: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        """Publish marts with these company records, contacts and deals; a deal's values are those of an account of its own."""
        self.published += 1
        state = self.folder / "published" / str(self.published)
        state.mkdir(parents=True)
        rule = ("segment_id", "condition_number", "attribute", "operator", "value")
        names = ("account_id", "account_name", "withheld_reason", *COMPANIES.values)
        of_contacts = tuple(CONTACTS.values)
        companies = [(i, v["account_id"] or f"A{i}", *(v[name] for name in names[1:])) for i, v in rows.items()]
        people = [(i, "A1", "Alpha", *(v[name] for name in of_contacts)) for i, v in (contacts or {}).items()]
        opportunities = [(i, f"D{i}", v.get("is_closed", False)) for i, v in (deals or {}).items()]
        accounts = [
            (f"D{i}", "Alpha", v["icp_tier"], v["icp_segment"], float(v["icp_fit_score"])) for i, v in (deals or {}).items()
        ]
        of_accounts = ("account_id", "account_name", "tier", "segment_id", "fit_score double")
        with duckdb.connect(str(state / "icp.duckdb")) as marts:
            marts.execute("begin; create schema marts")
            for mart, columns, records in [
                (
                    "icp_segments",
                    ("segment_id", "segment_name", "tier"),
                    [(*s, "tier_3") for s in (segments or SEGMENTS).items()],
                ),
                ("icp_segment_rules", rule, []),
                ("sync_hubspot_companies", ("hubspot_company_id", *names), companies),
                ("sync_hubspot_contacts", ("contact_id", "account_id", "account_name", *of_contacts), people),
                ("icp_disagreements", ("account_id", "reason"), []),
                ("dim_accounts", of_accounts, accounts),
                ("fct_opportunities", ("opportunity_id", "account_id", "is_closed boolean"), opportunities),
            ]:
                typed = ", ".join(name if " " in name else f"{name} varchar" for name in columns)
                marts.execute(f"create table marts.{mart} ({typed})")
                if records:
                    values = ", ".join("unnest(?)" for _ in columns)
                    marts.execute(
                        f"insert into marts.{mart} select {values}", [list(column) for column in zip(*records, strict=True)]
                    )
            marts.execute("commit")
        manifest = {"as_of": "2026-11-20", "published_at": f"2026-11-22T00:00:{self.published:02}+00:00"}
        (state / "manifest.json").write_text(json.dumps(manifest))
        link = self.folder / "published" / "current"
        link.unlink(missing_ok=True)
        link.symlink_to(state.name)

    def settings(self) -> Config:
        return Config(requests_per_10_seconds=190, **self.config)

    def portal(self) -> Portal:
        """A client whose waiting takes no time."""
        return Portal(
            self.hubspot.url, TOKEN, requests_per_10_seconds=190, sleep=self.clock.sleep, clock=self.clock.now, backoff_seconds=1
        )

    def diff(self) -> dict[str, Any]:
        with self.portal() as portal, duckdb.connect(str(self.state / "icp.duckdb"), read_only=True) as marts:
            return write_plan(portal, marts, self.manifest, self.settings(), self.plan)

    def apply(self, **other: Any) -> Outcome:
        with self.portal() as portal, duckdb.connect(str(self.state / "icp.duckdb"), read_only=True) as marts:
            arguments = {"today": TODAY} | other
            return apply_plan(portal, marts, self.manifest, self.settings(), self.plan, **arguments)[0]

    def sync(self, **other: Any) -> Outcome:
        self.diff()
        return self.apply(**other)

    def revert(self, journal: Path | None = None, write: bool = True) -> Outcome:
        with self.portal() as portal:
            return revert(portal, self.settings(), journal or self.journal, write)[0]

    @property
    def journal(self) -> Path:
        return journal_of(self.plan, read_plan(self.plan)[0]["made_at"])

    def lines(self, kind: str) -> list[dict[str, Any]]:
        return [line for line in read_lines(self.plan) if line["kind"] == kind]

    def reasons(self) -> dict[str, str]:
        return {line["record_id"]: line["reason"] for line in self.lines("withheld")}

    def held(self, *records: str, of: str = "companies") -> dict[str, dict[str, str]]:
        """The own values that HubSpot has."""
        found = {c: {n: self.hubspot.value(c, n, of) or "" for n in OWN} for c in records or self.hubspot.objects[of].records}
        return {c: {n: value for n, value in values.items() if value} for c, values in found.items()}

    def updates(self) -> list[Any]:
        return [call for call in self.hubspot.calls if call.path.endswith("batch/update")]

    def write_settings(self) -> Path:
        path = self.folder / "hubspot.yml"
        settings = {"requests_per_10_seconds": 190, **self.config}
        path.write_text(json.dumps(settings))
        return path

    def command(self, *arguments: str, token: str = TOKEN) -> Result:
        """The command line, as a person uses it."""
        places = ["--config", str(self.write_settings()), "--base-url", self.hubspot.url]
        if arguments[0] != "revert":
            places += ["--plan", str(self.plan)]
        env = {"HUBSPOT_TOKEN": token, "ICP_PUBLISHED": str(self.folder / "published"), "COLUMNS": "200"}
        return CliRunner().invoke(app, ["hubspot", *arguments, *places], env=env)


VALUES_OF_A_ROW = {"icp_tier": "tier_1", "icp_segment": "seg_a", "icp_fit_score": "72.5", "icp_changed_on": "2026-11-22"}
