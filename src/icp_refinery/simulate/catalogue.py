"""What the simulated vendor sells."""

from typing import NamedTuple

import numpy as np


class Product(NamedTuple):
    """A product: its share of the yearly rate and the part of its price that it costs."""

    product_id: str
    name: str
    family: str
    kind: str
    share: float
    cost: float


PRODUCTS = (
    Product("PLT", "Insight Platform", "Platform", "core", 0.40, 0.18),
    Product("SEAT", "Insight Seats", "Platform", "core", 0.60, 0.22),
    Product("TEAM", "Insight Team", "Platform", "core", 1.00, 0.25),
    Product("CONN", "Data Connectors", "Extensions", "add_on", 0.12, 0.15),
    Product("GOV", "Governance Pack", "Extensions", "add_on", 0.18, 0.12),
    Product("FCST", "Forecasting", "Extensions", "add_on", 0.15, 0.14),
    Product("AUD", "Audit Trail", "Extensions", "add_on", 0.10, 0.12),
    Product("SUP", "Premium Support", "Support", "add_on", 0.14, 0.45),
    Product("ONB", "Onboarding", "Services", "service", 0.14, 0.62),
    Product("MIG", "Migration", "Services", "service", 0.18, 0.66),
    Product("TRN", "Training Day", "Services", "service", 0.05, 0.55),
    Product("ADV", "Advisory", "Services", "service", 0.08, 0.60),
)
PLATFORM, SEATS, TEAM = 0, 1, 2
ADD_ONS = np.arange(3, 8)
ONBOARDING, MIGRATION, TRAINING, ADVISORY = 8, 9, 10, 11
UNIT_PRICE = np.array([0, 480, 240, 0, 0, 0, 0, 0, 0, 0, 1500, 1800])  # 0: sold as one unit
