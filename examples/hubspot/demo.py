"""Five minutes with `icp hubspot`: the demo company's records in a stand-in for HubSpot on this machine. Nothing leaves it."""

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
PROJECT = Path(sys.argv[1]).resolve() if sys.argv[1:] else ROOT / "target" / "hubspot"
sys.path.insert(0, str(ROOT / "tests" / "support"))

from hubspot_portal import HubSpotPortal  # noqa: E402


def main() -> None:
    published = Path(os.environ.get("ICP_PUBLISHED") or ROOT / "published").resolve()
    if not (published / "current" / "manifest.json").exists():
        sys.exit(f"There are no published marts in {published}: run `make build` first.")
    settings = yaml.safe_load((ROOT / "activation" / "hubspot.yml").read_text(encoding="utf-8"))
    # What a person enters in activation/hubspot.yml: contacts too, and the e-mails that Marketing has written in HubSpot.
    settings |= {"objects": ["companies", "contacts"], "id_properties": {"contacts": "crm_contact_id"}, "max_changes": 5000}
    settings["nurture"] |= {"emails": {"all": [101, 102, 103]}, "smallest_effect": 0.1}
    with HubSpotPortal(requests_per_10_seconds=190) as portal:
        fill(portal, settings)
        # A project folder of its own, so that its plans and journals do not come among yours.
        shutil.rmtree(PROJECT, ignore_errors=True)
        (PROJECT / "activation").mkdir(parents=True)
        shutil.copy(ROOT / "dbt_project.yml", PROJECT)
        (PROJECT / "activation" / "hubspot.yml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        columns = str(max(shutil.get_terminal_size().columns, 120))
        environment = os.environ | {"HUBSPOT_TOKEN": portal.token, "ICP_PUBLISHED": str(published), "COLUMNS": columns}

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
        size = f"{len(portal.companies):,} companies and {len(before['contacts']):,} contacts"
        say(f"A portal with {size}; one company was archived, two were merged. It has no property of ours.")
        icp("diff")
        say("So far only reads. Now write, and keep a journal of what was there before.")
        icp("apply", "--apply")
        tiers = portal.values("icp_tier")
        calls = [call for call in portal.writes() if call.path.endswith("/batch/update")]
        say(f"HubSpot now has a tier on {len(tiers):,} companies; all was written in {len(calls)} calls. Lists can filter on it:")
        icp("lists", "--apply")
        say("\n".join(["In HubSpot:", *sizes(portal), "", "A playbook for each segment, and a workflow of it, switched off:"]))
        icp("nurture", "--out", "nurture", "--apply")
        playbook = sorted((PROJECT / "nurture").glob("*.md"))[0]
        say(playbook.read_text(encoding="utf-8"))
        for flow in portal.flows.values():
            taken = portal.taken_by(flow["id"])
            would = ", ".join(f"{len(found):,} {group.replace('_', ' ')}" for group, found in sorted(taken.items()))
            state = "on" if flow["isEnabled"] else "off"
            say(f"In HubSpot: the workflow {flow['name']} is switched {state}. Contacts of its list that it would take: {would}.")
        say("What is left to do, and what came of it?")
        icp("diff")
        icp("outcome", asks=False)
        company_id = min(tiers)
        new = next(tier for tier in ("tier_1", "tier_2") if tier != tiers[company_id])
        portal.edit(company_id, "icp_tier", new)
        say(f"Somebody in Sales now sets company {company_id} to {new} by hand. Taking everything back leaves that alone.")
        for journal in sorted(PROJECT.glob("activation/runs/journal-*.jsonl")):
            icp("revert", str(journal.relative_to(PROJECT)), "--apply")
        say(f"The tiers left in HubSpot: {portal.values('icp_tier')}. Workflows left: {len(portal.flows)}.")
        portal.edit(company_id, "icp_tier", "")
        if portal.everything() != before:
            sys.exit("The portal is not as it was.")
        say("Without the edit by hand every value of every record is as before. Properties and lists stay there.")


def sizes(portal: HubSpotPortal) -> list[str]:
    """How many records each list holds."""
    kinds = {"0-1": "contacts", "0-2": "companies"}
    return [
        f"{listed['name']}: {len(portal.members(listed['name'])):,} {kinds[listed['objectTypeId']]}"
        for listed in portal.lists.values()
    ]


def fill(portal: HubSpotPortal, settings: dict) -> None:
    """The demo company's contacts, and its accounts that have a HubSpot id, under the names and industries that HubSpot uses."""
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

    stages = ["lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer"]
    portal.add_property("lifecyclestage", "enumeration", stages, of="contacts")
    portal.add_property("crm_contact_id", of="contacts")
    portal.emails = {"101", "102", "103"}
    for number, row in enumerate(rows("contacts.csv"), start=8_000_000_001):
        values = {"crm_contact_id": row["contact_id"], "email": row["email"], "jobtitle": row["job_title"]}
        portal.add_record("contacts", str(number), **{name: value for name, value in values.items() if value})


def rows(file: str) -> list[dict[str, str]]:
    with (SAMPLE / file).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def say(text: str) -> None:
    print(f"\n{text}", flush=True)


if __name__ == "__main__":
    main()
