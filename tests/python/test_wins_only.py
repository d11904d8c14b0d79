"""A company that records no amounts still learns who wins: a win is worth 1."""

from __future__ import annotations

import numpy as np
import pandas as pd

from icp_refinery.learning.conditions import assign
from icp_refinery.learning.measure import measure_segments
from icp_refinery.learning.scorecard import fit_scores, learn_scorecard
from icp_refinery.learning.segments import learn_segments

# As of a public set of leads: 842 of 8,000 won, 3 to 16 % by source.
RATES = {"referral": 0.16, "organic search": 0.12, "paid search": 0.11, "social": 0.055, "display": 0.03, "email": 0.10}


def leads(seed: int, rates: dict[str, float]) -> tuple[pd.DataFrame, pd.DataFrame]:
    random = np.random.default_rng(seed)
    source = random.choice(list(rates), 8000, p=[0.15, 0.3, 0.25, 0.1, 0.1, 0.1])
    began = pd.Timestamp("2022-01-01") + pd.to_timedelta(random.integers(0, 700, 8000), "D")
    won = random.random(8000) < pd.Series(source).map(rates).to_numpy()
    account = [f"a{number:04d}" for number in range(8000)]
    pursuits = pd.DataFrame({"account_id": account, "began_on": began, "closed_on": began + pd.Timedelta(days=20), "is_won": won})
    pursuits = pursuits.assign(value=won.astype(float), months_observed=np.where(won, 24.0, np.nan))
    noise = random.choice(["a", "b", "c"], 8000)
    return pursuits, pd.DataFrame({"lead_source": source, "noise": noise}, index=account, dtype=object)


def test_who_wins_is_learned_where_a_win_is_what_counts():
    pursuits, traits = leads(77, RATES)
    learned = learn_segments(pursuits, traits, permutations=199)
    assert len(learned.segments) >= 3
    assert set(learned.rules["attribute"]) == {"lead_source"}
    own = assign(traits, learned.rules)
    true = own.index.to_series().map(traits["lead_source"]).map(RATES).groupby(own).mean()
    found = learned.segments.set_index("segment_id")
    assert found["value_per_pursuit"].rank().to_dict() == true.rank().to_dict()
    assert found["observed_value_per_pursuit"].to_dict() == found["win_rate"].to_dict()
    assert {"tier_2", "deprioritized"} <= set(found["tier"])
    score = fit_scores(traits, learn_scorecard(pursuits, traits, learned), own)
    assert score.groupby(traits["lead_source"]).mean().idxmax() == "referral"
    measured = measure_segments(pursuits, own).set_index("segment_id")
    assert measured["observed_value_per_pursuit"].round(9).to_dict() == measured["win_rate"].round(9).to_dict()


def test_where_all_win_alike_there_is_one_segment():
    for seed in (78, 79, 80):
        learned = learn_segments(*leads(seed, dict.fromkeys(RATES, 0.105)), permutations=199)
        assert set(learned.segments["tier"]) == {"tier_3"}
