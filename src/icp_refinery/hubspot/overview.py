"""What a plan would do, counted while it is written."""

import re
from collections import Counter, defaultdict

from icp_refinery.hubspot.errors import Json

CLEARED = "cleared"
# What differs from record to record in a reason: values in quotes, ids, and who set a value when.
OWN = re.compile(r"""'[^']*'|"[^"]*"|\b\d[\w-]*\b""")


class Overview:
    """The `changes` by object, property and tier with why, and the `withheld` by object and why, of the lines added."""

    def __init__(self) -> None:
        self._tiers: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self._why: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
        self._withheld: Counter[tuple[str, str]] = Counter()

    def add(self, line: Json) -> None:
        """Counts a line of a plan."""
        if line["kind"] == "change":
            tier = CLEARED if line["is_cleared"] else line["tier"]
            for name in line["set"]:
                self._tiers[line["object"], name][tier] += 1
                self._why[line["object"], name][line["why"]] += 1
        elif line["kind"] == "withheld":
            self._withheld[line["object"], OWN.sub("…", line["reason"])] += 1

    def as_json(self) -> Json:
        """The counts, as a plan's summary has them under `overview`."""
        return {
            "changes": [
                {"object": of, "property": name, "tiers": dict(tiers), "why": dict(self._why[of, name].most_common())}
                for (of, name), tiers in self._tiers.items()
            ],
            "withheld": [{"object": of, "why": why, "records": count} for (of, why), count in self._withheld.most_common()],
        }
