"""The words that the demo company's names, titles and campaigns are made of."""

import numpy as np


def _words(text: str) -> list[str]:
    return text.split()


FIRST = _words(
    "Alder Amber Arbor Argent Aster Aurora Beacon Birch Bramble Cedar Cinder Cobalt Copper Coral "
    "Cress Delta Drift Ember Fern Flint Gale Garnet Hazel Heron Indigo Juniper Kestrel Lark Lumen "
    "Maple Marlow Nettle Onyx Opal Pine Quartz Rowan Sable Teal Willow"
)
SECOND = _words(
    "Acre Bank Bay Bend Bluff Bridge Brook Cape Cliff Cove Crossing Dale Dell Dune Falls Field Ford "
    "Forge Gate Glen Grove Harbor Heath Hill Hollow Island Lake Landing March Meadow Mill Moor Pass "
    "Peak Point Reach Ridge Shore Vale Yard"
)
CYRILLIC = _words(
    "Изгрев Северник Балкан Бряст Върба Гранит Изток Калина Липа Орех Рила Скала Тополка Хоризонт "  # noqa: RUF001
    "Явор Янтар"
)
JAPANESE = _words("青橋 若杉屋 白波 星見 東風 緑丘 朝凪 銀河堂 花筏 雪原 夕霧 水鏡 竹林 風車 月影 虹橋")

# industry: (word in a Latin name, in Cyrillic, in Japanese)
INDUSTRIES = {
    "Financial Services": ("Capital", "Финанс", "金融"),
    "Software": ("Software", "Софтуер", "ソフト"),
    "Manufacturing": ("Works", "Завод", "製作"),
    "Healthcare": ("Health", "Здраве", "医療"),
    "Retail": ("Stores", "Търговия", "商店"),
    "Media": ("Media", "Медия", "メディア"),
    "Government": ("Authority", "Агенция", "公社"),
    "Education": ("College", "Колеж", "学院"),
    "Energy": ("Energy", "Енергия", "エネルギー"),
    "Logistics": ("Freight", "Превоз", "物流"),
}

# country: (region, currency, what stands before, between and after the words of a name)
COUNTRIES = {
    "US": ("North America", "USD", "", " ", ", Inc."),
    "CA": ("North America", "USD", "", " ", " Corp."),
    "GB": ("EMEA", "GBP", "", " ", " Ltd"),
    "DE": ("EMEA", "EUR", "", "-", " GmbH & Co. KG"),
    "FR": ("EMEA", "EUR", "Société ", " ", " & Associés"),
    "NL": ("EMEA", "EUR", "", " ", " B.V."),
    "BG": ("EMEA", "EUR", "", " ", " ООД"),
    "JP": ("APAC", "USD", "株式会社", "", ""),
    "AU": ("APAC", "USD", "", " ", " Pty Ltd"),
    "SG": ("APAC", "USD", "", " ", " Pte. Ltd."),
    "BR": ("LATAM", "USD", "Companhia ", " ", " São João Ltda"),
    "MX": ("LATAM", "USD", "", " y ", ", S.A. de C.V."),
}

# a few names that break a careless reader of CSV: (before, between, after)
AWKWARD_NAMES = (
    ('"', '" ', ", LLC"),
    ("", " & ", "; Partners"),
    ("L'Atelier ", " - ", ""),
    ("", ", ", " and Sons"),
    ("The ", " ", ' (formerly "Ørsund")'),
    ("Žluťák ", " ", ""),
)

GIVEN = _words(
    "mira jonas lea amir sofia tomas ines karl nadia oscar priya yuki elena marco dana felix hana "
    "ivan julia kofi lucia milan noor pavel rosa samir tara ulf vera zoe"
)
FAMILY = _words(
    "olsen brandt costa dimitrov eriksen fontaine garcia haas ito jansen keller lopez moreau nakai "
    "okafor petrov quinn rossi silva tanaka ueda varga weber xu young zimmer abbas berg conti dvorak"
)

# job title: share in general, in Financial Services, in Government and Education
TITLES = {
    "Chief Financial Officer": (0.05, 0.12, 0.03),
    "VP Finance": (0.05, 0.10, 0.03),
    "Finance Manager": (0.06, 0.08, 0.06),
    "Head of Compliance": (0.02, 0.12, 0.04),
    "Risk Analyst": (0.02, 0.08, 0.02),
    "Chief Technology Officer": (0.06, 0.05, 0.03),
    "VP Engineering": (0.06, 0.04, 0.02),
    "Data Engineer": (0.08, 0.06, 0.05),
    "Senior Data Analyst": (0.09, 0.08, 0.08),
    "IT Manager": (0.08, 0.05, 0.15),
    "Director of Operations": (0.08, 0.06, 0.10),
    "Operations Coordinator": (0.06, 0.03, 0.09),
    "Chief Marketing Officer": (0.04, 0.02, 0.01),
    "Marketing Director": (0.06, 0.03, 0.03),
    "Marketing Manager": (0.07, 0.03, 0.05),
    "Head of Procurement": (0.04, 0.03, 0.11),
    "Purchasing Specialist": (0.03, 0.01, 0.07),
    "Owner": (0.03, 0.005, 0.005),
    "Intern": (0.02, 0.005, 0.025),
}


def company_names(number: np.ndarray, industry: np.ndarray, country: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Names and mail domains of companies.

    Parameters
    ----------
    number : (n,) int, the account's number; it alone decides the words.
    industry, country : (n,) int, positions in `INDUSTRIES` and `COUNTRIES`.

    Returns
    -------
    (n,) name and (n,) domain, both of object dtype. Domains are distinct and end in the reserved `.example`.
    """
    words = np.array(list(INDUSTRIES.values()), dtype=object)[industry]
    codes = list(COUNTRIES)
    parts = np.array([style[2:] for style in COUNTRIES.values()], dtype=object)[country]
    awkward = np.flatnonzero((number % 41 == 7) & ~np.isin(country, [codes.index("BG"), codes.index("JP")]))
    parts[awkward] = np.array(AWKWARD_NAMES, dtype=object)[(number[awkward] // 41) % len(AWKWARD_NAMES)]

    # 7 and the number of pairs share no factor: neighbours differ, and no pair returns before all were used
    pairs = len(FIRST) * len(SECOND)
    pair, lap = (number * 7) % pairs, number // pairs
    first = np.array(FIRST, dtype=object)[pair // len(SECOND)]
    second = np.array(SECOND, dtype=object)[pair % len(SECOND)]
    tail = np.where(lap > 0, np.char.add("-", lap.astype(str)), "").astype(object)
    domain = np.char.lower((first + "-" + second).astype(str)).astype(object) + tail + ".example"

    latin = second + " " + words[:, 0]
    for code, own, column in (("BG", CYRILLIC, 1), ("JP", JAPANESE, 2)):
        here = country == codes.index(code)
        first[here] = np.array(own, dtype=object)[pair[here] % len(own)]
        latin[here] = words[here, column]
    return parts[:, 0] + first + parts[:, 1] + latin + parts[:, 2], domain
