"""icp_product_mix against a computation in pandas from the core marts, on the demo company."""

import pandas as pd
import pytest
from statsmodels.stats.proportion import proportion_confint

from conftest import BuildResult, frame

pytestmark = pytest.mark.slow


def bought(demo: BuildResult) -> pd.DataFrame:
    """A row per account, kind of item and item: whether it bought it, and for how much."""
    lines = frame(demo.database, "marts.fct_order_lines").merge(frame(demo.database, "marts.dim_products"), "left", "product_id")
    lines["item_name"], lines["is_purchase"] = lines["product_name"].fillna("none"), lines["line_kind"] != "credit"
    orders = frame(demo.database, "marts.fct_orders").rename(columns={"net_amount": "amount", "product_bundle": "item_name"})
    sold = lines[lines["is_purchase"]].groupby("order_id").size()
    orders["item_name"], orders["is_purchase"] = orders["item_name"].fillna("none"), orders["order_id"].isin(sold.index)
    columns = ["account_id", "item_name", "is_purchase", "amount"]
    both = pd.concat([lines[columns].assign(item_type="product"), orders[columns].assign(item_type="bundle")])
    return both.groupby(["account_id", "item_type", "item_name"], as_index=False).agg({"is_purchase": "any", "amount": "sum"})


def test_attach_rates_and_amounts_equal_those_of_pandas(demo: BuildResult) -> None:
    mart = frame(demo.database, "marts.icp_product_mix").fillna({"item_name": "none"})
    mart = mart.set_index(["segment_id", "item_type", "item_name"])
    segment = frame(demo.database, "marts.fct_customers").set_index("account_id")["segment_id"]
    purchases = bought(demo)
    overall = purchases[purchases["is_purchase"]].groupby(["item_type", "item_name"]).size() / len(segment)
    seen = set()
    for name in ["all", *segment.unique()]:
        members = segment.index if name == "all" else segment.index[segment == name]
        own = purchases[purchases["account_id"].isin(members)]
        for key, rows in own.groupby(["item_type", "item_name"]):
            row, buyers = mart.loc[(name, *key)], int(rows["is_purchase"].sum())
            low, high = proportion_confint(buyers, len(members), method="wilson")
            total = own.loc[own["item_type"] == key[0], "amount"].sum()
            assert (row["customer_count"], row["buyer_count"], row["net_amount"]) == (len(members), buyers, rows["amount"].sum())
            assert row["attach_rate"] == pytest.approx(buyers / len(members))
            assert (row["attach_rate_low"], row["attach_rate_high"]) == pytest.approx((low, high), abs=1e-12)
            if key in overall.index:
                assert row["index_against_all"] == pytest.approx(buyers / len(members) / overall[key])
            else:  # credits alone
                assert pd.isna(row["index_against_all"])
            assert row["value_share"] == pytest.approx(float(rows["amount"].sum() / total))
            seen.add((name, *key))
    assert len(seen) > 100
    rest = mart.loc[[key not in seen for key in mart.index]]
    assert (rest["buyer_count"] == 0).all()
    assert (rest["overall_attach_rate"] * len(segment) >= 30 - 1e-9).all()
