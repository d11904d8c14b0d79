"""The objects of HubSpot that are written to, and what the marts say of their records."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import duckdb

from icp_refinery.hubspot.config import Config
from icp_refinery.project import PRIORITIZED

LONGEST_TEXT = 65_000
WITHHELD = {
    "claimed_by_several_accounts": "several accounts name this record: it is not clear whose values it should have",
    "not_a_record_id": "not a HubSpot record id",
}


@dataclass(frozen=True)
class ObjectType:
    """An object: its name in paths and settings, HubSpot's number of it, and what is written to it.

    `rows` selects from the marts `key` (what its records are found by), `account_id`, `account_name`, `withheld_reason`,
    `is_closed` (known, and left as it is) and `values`, the properties by their names here.
    """

    name: str
    singular: str
    type_id: str
    values: tuple[str, ...]
    rows: str
    closed: str | None = None  # the property by which HubSpot itself says that a record is closed
    also: tuple[str, ...] = ()  # properties that are made for workflows to write

    def said(self, record: str) -> str:
        """A record's id for a person to read."""
        return record if self.name == "companies" else f"{self.singular} {record}"


COMPANIES = ObjectType(
    name="companies",
    singular="company",
    type_id="0-2",
    values=("icp_tier", "icp_segment", "icp_fit_score", "icp_reasons", "icp_disagreement"),
    rows="select *, hubspot_company_id as key, false as is_closed from marts.sync_hubspot_companies",
)
CONTACTS = ObjectType(
    name="contacts",
    singular="contact",
    type_id="0-1",
    values=("icp_tier", "icp_segment", "icp_fit_score", "icp_role", "icp_role_fit", "icp_disagreement"),
    rows="select *, contact_id as key, null as withheld_reason, false as is_closed from marts.sync_hubspot_contacts",
)
DEALS = ObjectType(
    name="deals",
    singular="deal",
    type_id="0-3",
    values=("icp_tier", "icp_segment", "icp_fit_score"),
    rows="""
        select
            deals.opportunity_id as key, deals.account_id, accounts.account_name, null as withheld_reason, deals.is_closed,
            accounts.tier as icp_tier, accounts.segment_id as icp_segment,
            regexp_replace(cast(accounts.fit_score as varchar), '\\.0+$', '') as icp_fit_score
        from marts.fct_opportunities as deals inner join marts.dim_accounts as accounts on deals.account_id = accounts.account_id
    """,
    closed="hs_is_closed",
)
OBJECT_TYPES = {kind.name: kind for kind in (COMPANIES, CONTACTS, DEALS)}


def types_of(config: Config) -> list[ObjectType]:
    """The objects of the settings; contacts with their nurture group as soon as there are e-mails for a nurture."""
    return [_with_nurture(config) if of == CONTACTS.name and config.nurture.emails else OBJECT_TYPES[of] for of in config.objects]


def _with_nurture(config: Config) -> ObjectType:
    rows = f"""
        select *, case
            when icp_tier not in {PRIORITIZED} then null
            when {draw("account_id")} < {config.nurture.holdout_share} then 'held_out' else 'nurture'
        end as icp_nurture_group
        from ({CONTACTS.rows})
    """
    return replace(CONTACTS, values=(*CONTACTS.values, "icp_nurture_group"), also=("icp_nurture_entered_on",), rows=rows)


def draw(account_id: str) -> str:
    """SQL of a number from 0 to 1 for an account, always the same: by it a company with all its contacts is held out or not."""
    return f"cast(cast(concat('0x', left(md5(concat('nurture ', {account_id})), 8)) as bigint) as double) / 4294967296"


@dataclass
class Wanted:
    """What the marts say of one record; no values where it is withheld."""

    account_id: str | None
    name: str | None
    withheld: str | None
    values: dict[str, str]
    is_closed: bool = False


def wanted_records(marts: duckdb.DuckDBPyConnection, kind: ObjectType, keys: Sequence[str]) -> dict[str, Wanted]:
    """What the marts say of these records, by what they are found by."""
    rows = marts.execute(
        f"select key, account_id, account_name, withheld_reason, is_closed, {', '.join(kind.values)} from ({kind.rows})"
        " where key in (select unnest(?))",
        [list(keys)],
    ).fetchall()
    found: dict[str, Wanted] = {}
    for key, account, name, withheld, is_closed, *values in rows:
        if key in found:
            withheld = "claimed_by_several_accounts"
        texts = {
            ours: "" if value is None else str(value).strip()[:LONGEST_TEXT]
            for ours, value in zip(kind.values, values, strict=True)
        }
        found[key] = Wanted(account, name, WITHHELD.get(withheld, withheld), {} if withheld else texts, is_closed)
    return found
