"""Five minutes with `icp hubspot`: the demo company's records in a stand-in for HubSpot on this machine. Nothing leaves it."""

import contextlib
import csv
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "seeds" / "sample"
BY_HAND = "--by-hand"
FOLDERS = [argument for argument in sys.argv[1:] if argument != BY_HAND]
PROJECT = Path(FOLDERS[0]).resolve() if FOLDERS else ROOT / "target" / "hubspot"
sys.path.insert(0, str(ROOT / "tests" / "support"))

from hubspot_portal import NAMES, HubSpotPortal  # noqa: E402

# The demo company's contacts and opportunities have ids of a warehouse, which HubSpot has in properties.
IDS = {"contacts": "warehouse_contact_id", "deals": "warehouse_deal_id"}
EMAILS = [101, 102, 103]
RATE = 190  # calls in ten seconds that HubSpot allows a private app of its Professional plan
STAGES = ["lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer"]


def main() -> None:
    published = Path(os.environ.get("ICP_PUBLISHED") or ROOT / "published").resolve()
    if not (published / "current" / "manifest.json").exists():
        sys.exit(f"There are no published marts in {published}: run `make build` first.")
    settings = yaml.safe_load((ROOT / "activation" / "hubspot.yml").read_text(encoding="utf-8"))
    settings |= {"objects": ["companies", "contacts", "deals"], "id_properties": IDS, "max_changes": 5000}
    settings["requests_per_10_seconds"] = RATE
    # Marketing has written three e-mails in HubSpot; a rate as high as the demo company's can only grow by a little.
    settings["nurture"] |= {"emails": {"all": EMAILS}, "smallest_effect": 0.1}
    with HubSpotPortal(requests_per_10_seconds=RATE) as portal:
        fill(portal, settings)
        # A project folder of its own, so that its plans and journals do not come among yours.
        shutil.rmtree(PROJECT, ignore_errors=True)
        (PROJECT / "activation").mkdir(parents=True)
        shutil.copy(ROOT / "dbt_project.yml", PROJECT)
        (PROJECT / "activation" / "hubspot.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        columns = str(max(shutil.get_terminal_size().columns, 120))
        environment = os.environ | {"HUBSPOT_TOKEN": portal.token, "ICP_PUBLISHED": str(published), "COLUMNS": columns}

        if BY_HAND in sys.argv:
            shutil.copy(ROOT / "activation" / "hubspot.yml", PROJECT / "activation")
            wait(portal, published)
            return

        def icp(*arguments: str, asks: bool = True) -> None:
            print(f"\n$ icp hubspot {shlex.join(arguments)}", flush=True)
            command = [str(Path(sys.executable).parent / "icp"), "hubspot", *arguments]
            command += ["--base-url", portal.url] if asks else []
            if subprocess.run(command, env=environment, cwd=PROJECT, check=False).returncode:
                sys.exit("The demo stopped: the command above failed.")

        first, second, third, *_ = sorted(portal.companies)
        portal.archive(first)
        portal.merge(second, into=third)
        before = portal.everything()
        sizes = ", ".join(f"{len(records):,} {of}" for of, records in before.items())
        say(f"A portal with {sizes}; one company was archived, two were merged. It has no property of ours.")
        icp("diff")
        say("So far only reads. Now write, and keep a journal of what was there before.")
        icp("apply", "--apply")
        tiers = portal.values("icp_tier")
        calls = [call for call in portal.writes() if call.path.endswith("/batch/update")]
        written = ", ".join(f"{len(portal.values('icp_tier', of)):,} {of}" for of in portal.objects)
        say(f"HubSpot now has a tier on {written}, written in {len(calls)} calls. Lists can filter on it:")
        icp("lists", "--apply")
        sizes = [
            f"{listed['name']}: {len(portal.members(listed['name'])):,} {NAMES[listed['objectTypeId']]}"
            for listed in portal.lists.values()
        ]
        say("\n".join(["In HubSpot:", *sizes, "", "A playbook for each prioritized segment, and a workflow of it:"]))
        icp("nurture", "--out", "nurture", "--apply")
        for playbook in sorted((PROJECT / "nurture").glob("*.md")):
            say(playbook.read_text(encoding="utf-8"))
        for number, flow in portal.flows.items():
            groups = ", ".join(
                f"{len(found):,} {group.replace('_', ' ')}" for group, found in sorted(portal.taken_by(number).items())
            )
            state = "on" if flow["isEnabled"] else "off"
            say(f"In HubSpot: {flow['name']!r} is switched {state}. Switched on, it would take contacts of its lists: {groups}.")
        say("What is left to do, and what came of it?")
        icp("diff")
        icp("outcome", asks=False)
        company_id = min(tiers)
        new = next(tier for tier in ("tier_1", "tier_2") if tier != tiers[company_id])
        portal.edit(company_id, "icp_tier", new)
        say(f"Somebody in Sales now sets company {company_id} to {new} by hand. Taking everything back leaves that alone.")
        for journal in sorted(PROJECT.glob("activation/runs/journal-*.jsonl")):
            icp("revert", str(journal.relative_to(PROJECT)), "--apply")
        left, after = portal.values("icp_tier"), portal.everything()
        before["companies"][company_id]["icp_tier"] = new
        if after != before or portal.flows:
            sys.exit("The demo stopped: the portal is not as it was before.")
        values = sum(len(held) for records in after.values() for held in records.values())
        say(f"Compared with the portal before: all {values:,} values are as they were, but for that one.")
        say(
            f"The tiers left in HubSpot: {left}. Properties and lists stay there; an admin may archive them. No workflow is left."
        )


def wait(portal: HubSpotPortal, published: Path) -> None:
    """Says how to work with the portal from another terminal, and serves it until Ctrl-C."""
    icp = Path(sys.executable).parent / "icp"
    say(
        "The stand-in is there until you press Ctrl-C. In another terminal:\n\n"
        f"  cd {shlex.quote(str(PROJECT))}\n"
        f"  export HUBSPOT_TOKEN={portal.token} ICP_PUBLISHED={shlex.quote(str(published))} AT={portal.url}\n"
        f"  {shlex.quote(str(icp))} hubspot diff --base-url $AT\n\n"
        f"What the stand-in holds: curl $AT/stand-in"
    )
    with contextlib.suppress(KeyboardInterrupt):
        portal.thread.join()


def fill(portal: HubSpotPortal, settings: dict) -> None:
    """The demo company's accounts that have a HubSpot id, in HubSpot's words; its contacts and opportunities."""
    industries = settings["lists"]["traits"]["industry"]["values"]
    portal.add_property("industry", "enumeration", [value for values in industries.values() for value in values])
    accounts = {row["account_id"]: row for row in rows("accounts.csv")}
    for row in rows("account_external_ids.csv"):
        account, company_id = accounts.get(row["account_id"]), row["external_id"]
        if account is None or row["system"] != "hubspot" or not company_id.isdigit() or company_id in portal.companies:
            continue
        values = {
            "name": account["account_name"],
            "domain": account["domain"],
            "country": account["country"],
            "numberofemployees": account["employee_count"],
            "annualrevenue": account["annual_revenue"],
            "industry": industries.get(account["industry"], [""])[0],
        }
        portal.add_company(company_id, **{name: value for name, value in values.items() if value})
    for of, name in IDS.items():
        portal.add_property(name, of=of)
    portal.add_property("lifecyclestage", "enumeration", STAGES, of="contacts")
    portal.emails = set(map(str, EMAILS))
    for number, row in enumerate(rows("contacts.csv"), 60_000_000_001):
        values = {IDS["contacts"]: row["contact_id"], "email": row["email"], "jobtitle": row["job_title"]}
        portal.add_record("contacts", str(number), **{name: value for name, value in values.items() if value})
    for number, row in enumerate(rows("opportunities.csv"), 9_000_000_001):
        values = {IDS["deals"]: row["opportunity_id"], "dealname": row["opportunity_name"], "hs_is_closed": row["is_closed"]}
        portal.add_record("deals", str(number), **values)


def rows(file: str) -> list[dict[str, str]]:
    with (SAMPLE / file).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def say(text: str) -> None:
    print(f"\n{text}", flush=True)


if __name__ == "__main__":
    main()
