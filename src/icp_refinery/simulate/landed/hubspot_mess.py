"""What real HubSpot accounts have besides what counts: deleted, merged and planned records, and more associations than one."""

import datetime as dt

import numpy as np

from icp_refinery.simulate.landed.tables import Row, Rows

# HubSpot's own association types of a deal with a company: the primary one, and one without a label.
PRIMARY, UNLABELED = 5, 341


def add_mess(files: Rows, portal: Rows, loader: str, rng: np.random.Generator) -> None:
    """Plant the mess in the portal; merged accounts, which the contract knows too, also in `files`."""
    companies, deals = list(portal["company"]), list(portal["deal"])
    _merge_companies(files, portal, loader, [companies[i] for i in rng.choice(len(companies), 4, replace=False)])
    portal["company"].append(companies[0] | {"id": "7999000001", "name": "Deleted", "is_deleted": True})
    portal["contact"].append(portal["contact"][0] | {"id": "699001", "email": "gone@example.com", "is_deleted": True})
    won = [row for row in deals if row["dealstage"] in ("closedwon", "7700205")]
    _merge_deals(portal, [won[i] for i in rng.choice(len(won), 3, replace=False)])
    for number, i in enumerate(rng.choice(len(won), 3, replace=False)):
        portal["deal"].append(won[i] | {"id": f"950000000{number}", "is_deleted": True, "line_items": []})
    # restored since it was archived
    restored = won[rng.integers(len(won))]
    restored["updatedat"] = dt.datetime(2026, 6, 1)
    portal["deal_archived"].append({"id": restored["id"], "archivedat": dt.datetime(2026, 5, 1)})
    others = [row["id"] for row in companies]
    for row in portal["deal"]:
        _more_companies(row, others, loader, rng)
    if portal["meeting"]:
        planned = portal["meeting"][0] | {"id": "43000000001", "hs_timestamp": row["loaded_at"] + dt.timedelta(days=20)}
        portal["meeting"].append(planned)
        gone = portal["line_item"][0] | {"id": "3900000001", "is_deleted": True}
        portal["line_item"].append(gone)
        lost = next(row for row in deals if row["dealstage"] == "closedlost")
        portal["line_item"].append(portal["line_item"][0] | {"id": "3900000002"})
        lost["line_items"] = ["3900000002"]


def _merge_companies(files: Rows, portal: Rows, loader: str, survivors: list[Row]) -> None:
    """Each survivor has swallowed a record; deals may still name it, and Airbyte still lands it as if it lived."""
    for number, survivor in enumerate(survivors):
        merged = f"790000000{number}"
        survivor["hs_merged_object_ids"] = merged
        gone = {"account_id": merged, "merged_into_account_id": survivor["id"]}
        files["accounts"].append(dict.fromkeys(files["accounts"][0]) | gone)
        if loader != "dlt":
            portal["company"].append(survivor | {"id": merged, "hs_merged_object_ids": None, "is_deleted": loader == "fivetran"})
        for row in portal["deal"]:
            if row["hs_primary_associated_company"] == survivor["id"]:
                row["hs_primary_associated_company"], row["companies"] = merged, [merged]
        for entity in ("opportunities", "orders"):
            for row in files[entity]:
                row["account_id"] = merged if row["account_id"] == survivor["id"] else row["account_id"]


def _merge_deals(portal: Rows, survivors: list[Row]) -> None:
    """A deal that was merged away is still a live row."""
    for number, survivor in enumerate(survivors):
        merged = f"960000000{number}"
        portal["deal"].append(survivor | {"id": merged, "line_items": list(survivor["line_items"])})
        portal["merged_deal"].append({"deal_id": survivor["id"], "merged_deal_id": merged})
        survivor["hs_merged_object_ids"] = merged


def _more_companies(row: Row, others: list[str], loader: str, rng: np.random.Generator) -> None:
    """Some deals have partners besides the primary company, and not every deal has the property that names it."""
    primary = row["hs_primary_associated_company"]
    row["associations"] = [(primary, PRIMARY, "HUBSPOT_DEFINED"), (primary, UNLABELED, "HUBSPOT_DEFINED")]
    partners = [others[i] for i in rng.choice(len(others), 2, replace=False) if others[i] != primary]
    if rng.random() < 0.3:
        for partner in partners:
            row["associations"] += [(partner, UNLABELED, "HUBSPOT_DEFINED"), (partner, PRIMARY, "USER_DEFINED")]
    # A company that was merged away has no record that lists its deals, as dlt reads them.
    if rng.random() < 0.5 and (loader != "dlt" or (len(row["associations"]) == 2 and primary in others)):
        row["hs_primary_associated_company"] = None
    named = [company for company, type_id, category in row["associations"] if category == "HUBSPOT_DEFINED"]
    row["companies"] = named
