"""When an account is likely to begin: points of what it did in the last 90 days, learned on what preceded first opportunities.

Apart from fit, which says what a deal would be worth. An account is looked at a few times, each time before its first
opportunity, so nothing that happened after one began is learned from.
"""

from __future__ import annotations

import pandas as pd

from icp_refinery.learning.capture import Window
from icp_refinery.learning.scorecard import described, fit_scores, learn_scorecard
from icp_refinery.learning.segments import one_segment

FOLLOWED = pd.Timedelta(days=90)  # within which an opportunity follows a moment
LEARNED_MOMENTS = 4
LEAST_TRIED, LEAST_FOLLOWED = 30, 5  # accounts at a cut-off, and those that began


def learn_engagement(moments: pd.DataFrame, signals: pd.DataFrame, *, seed: int = 0, is_order: bool = False) -> pd.DataFrame:
    """Learn the points of signals, as a scorecard of one segment: 50 is the chance of all, and 20 points double it.

    Parameters
    ----------
    moments
        `account_id`, `moment_at`, `is_followed`: accounts without an opportunity, and whether their first one began in the 90
        days after the moment.
    signals
        `account_id`, `moment_at`, `attribute`, `number`: what each did in the 90 days before; what it did not do has no row.

    Returns rows as `learn_scorecard` does, with the operators `between` and `is_missing`; `wins` are moments that were followed.
    Only the first row where nothing can be learned. `is_order` as of `learn_scorecard`.
    """
    moments = moments.sort_values(["account_id", "moment_at"], ignore_index=True)
    key = moments["account_id"] + " " + moments["moment_at"].dt.strftime("%Y-%m-%d")
    place = pd.Series(key.to_numpy(), pd.MultiIndex.from_frame(moments[["account_id", "moment_at"]]))
    row = place.reindex(pd.MultiIndex.from_frame(signals[["account_id", "moment_at"]])).to_numpy()
    known = signals.assign(row=row).dropna(subset="row")
    traits = known.pivot(index="row", columns="attribute", values="number").astype(float).reindex(key)
    followed = moments["is_followed"].astype(bool)
    frame = pd.DataFrame(
        {
            "account_id": key,
            "began_on": moments["moment_at"],
            "closed_on": moments["moment_at"],
            "is_won": followed,
            "value": followed.astype(float),
            "months_observed": float("nan"),
        }
    )
    nothing_leaks = pd.DataFrame({"attribute": pd.Series(dtype=object), "is_suspected": pd.Series(dtype=bool)})
    everyone = one_segment(frame, frame["value"].to_numpy(), [])
    return learn_scorecard(frame, traits, everyone, seed=seed, leaks=nothing_leaks, is_order=is_order)


def engagement_scores(accounts: pd.Index, signals: pd.DataFrame, card: pd.DataFrame) -> pd.Series:
    """The engagement score of accounts at one moment, of which `signals` are: the reference for what SQL does."""
    did = signals.pivot(index="account_id", columns="attribute", values="number").astype(float).reindex(accounts)
    return fit_scores(did, card, pd.Series(dtype=object)).rename("engagement_score")


def engagement_windows(moments: pd.DataFrame, signals: pd.DataFrame, cutoffs: list[pd.Timestamp]) -> list[Window]:
    """Learn before each cut-off that is a moment, as it would have been, and order the accounts that had not begun then.

    `moments` and `signals` as of `learn_engagement`. Learned from the four moments before that were 90 days old by then. The
    `value` of an account is 1 if its first opportunity began in the 90 days after the cut-off. Left out: cut-offs with too few.
    """
    windows = []
    for cutoff in cutoffs:
        now = moments[moments["moment_at"] == cutoff].set_index("account_id").sort_index()
        past = moments[moments["moment_at"] + FOLLOWED <= cutoff]
        past = past[past["moment_at"].isin(past["moment_at"].drop_duplicates().nlargest(LEARNED_MOMENTS))]
        followed = now["is_followed"].astype(bool)
        if len(now) < LEAST_TRIED or followed.sum() < LEAST_FOLLOWED or past.empty:
            continue
        card = learn_engagement(past, signals[signals["moment_at"].isin(past["moment_at"])], is_order=True)
        score = engagement_scores(now.index, signals[signals["moment_at"] == cutoff], card)
        accounts = pd.DataFrame({"pursuits": 1.0, "value": followed.astype(float), "is_won": followed, "spend": 0.0})
        windows.append(Window(cutoff, len(past), accounts, score.to_frame("engagement")))
    return windows


def described_signals(card: pd.DataFrame) -> pd.DataFrame:
    """The same as `described` says of a scorecard."""
    made = described(card)
    return made.assign(definition=made["definition"].mask(made["attribute"].isna(), "everyone (50 is the chance of all)"))
