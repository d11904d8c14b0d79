"""A tree whose splits may be sets of values, and whose leaves are readable rules."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from icp_refinery.learning.conditions import conditions_of
from icp_refinery.learning.traits import LEAST_SUPPORT, Trait

LEAST_LEAF = 30  # pursuits of a segment
LIKENESS = 0.6  # of the smaller sides of a split and of the same split without a fold, as a Jaccard index
LEAST_T = 2.0  # between the sides of a split, on folds that did not choose it
LEAST_GAIN = 0.02  # of the variance that the model explains, for a split


class Node(NamedTuple):
    """A node of the tree: which codes of each trait it allows, and how it is split (or -1)."""

    allowed: dict[int, np.ndarray]
    trait: int
    is_missing_split: bool
    left: int
    right: int


class Split(NamedTuple):
    """A split of a node: the codes of one trait that go left (to the lower side)."""

    gain: float
    trait: int
    is_missing_split: bool
    left: np.ndarray


def grow(traits: list[Trait], target: np.ndarray, train: np.ndarray, max_segments: int, max_conditions: int) -> list[Node]:
    """Grow a tree best split first; its leaves are the nodes whose trait is -1."""
    n = int(train.sum())
    least = max(LEAST_LEAF, round(0.02 * n))
    nodes = [Node({}, -1, False, -1, -1)]
    rows = {0: np.flatnonzero(train)}
    enough = LEAST_GAIN * n * target[train].var()
    splits = {0: _best_split(traits, target, rows[0], {}, least, max_conditions)}
    while len(splits) < max_segments:
        number = max(splits, key=lambda i: (splits[i].gain, -i))
        split = splits[number]
        if split.gain <= enough:
            break
        node = nodes[number]
        del splits[number]
        goes_left = split.left[traits[split.trait].codes[rows[number]]]
        for side in (True, False):
            nodes.append(Node(_narrowed(node.allowed, split, side, traits), -1, False, -1, -1))
            child = len(nodes) - 1
            rows[child] = rows[number][goes_left == side]
            splits[child] = _best_split(traits, target, rows[child], nodes[child].allowed, least, max_conditions)
        nodes[number] = Node(node.allowed, split.trait, split.is_missing_split, len(nodes) - 2, len(nodes) - 1)
    return nodes


def _narrowed(allowed: dict[int, np.ndarray], split: Split, left: bool, traits: list[Trait]) -> dict[int, np.ndarray]:
    before = allowed.get(split.trait, np.ones(traits[split.trait].size, dtype=bool))
    return allowed | {split.trait: before & (split.left if left else ~split.left)}


def _best_split(
    traits: list[Trait],
    target: np.ndarray,
    rows: np.ndarray,
    allowed: dict[int, np.ndarray],
    least: int,
    max_conditions: int,
) -> Split:
    best = Split(0.0, -1, False, np.zeros(0, dtype=bool))
    y = target[rows]
    for number, trait in enumerate(traits):
        for missing_split in (False, True):
            split = _split_of(trait, number, y, rows, allowed, least, missing_split)
            if split.gain > best.gain * (1 + 1e-9) and all(
                len(conditions_of(traits, _narrowed(allowed, split, side, traits))) <= max_conditions for side in (True, False)
            ):
                best = split
    return best


def _split_of(
    trait: Trait,
    number: int,
    y: np.ndarray,
    rows: np.ndarray,
    allowed: dict[int, np.ndarray],
    least: int,
    missing_split: bool,
    like: np.ndarray | None = None,
) -> Split:
    """The best split of a node on one trait; gain 0 where there is none with `least` rows on both sides.

    With `like` (the codes that go left) only splits are looked at both of whose sides are much the same as its sides.
    """
    nothing = Split(0.0, number, missing_split, np.zeros(trait.size, dtype=bool))
    codes = trait.codes[rows]
    count = np.bincount(codes, minlength=trait.size).astype(float)
    total = np.bincount(codes, weights=y, minlength=trait.size)
    mask = allowed.get(number, np.ones(trait.size, dtype=bool))
    if missing_split:
        groups = [[trait.missing], [c for c in range(trait.size - 1) if mask[c]]]
        if not mask[trait.missing] or not groups[1]:
            return nothing
    elif trait.is_numeric:
        bins = [[c] for c in range(trait.size - 1) if mask[c]]
        if not bins:
            return nothing
        if mask[trait.missing]:
            bins[0].append(trait.missing)
        groups = bins
    else:
        rest = [c for c in (trait.size - 2, trait.missing) if mask[c]]
        if rest == [trait.missing]:
            return nothing
        seen = [c for c in range(trait.size - 2) if mask[c]]
        if rest:
            rest += [c for c in seen if not count[c]]
            seen = [c for c in seen if count[c]]
        groups = [[c] for c in seen] + ([rest] if rest else [])
        mean = y.mean() if len(y) else 0.0
        smoothed = [(total[g].sum() + 5 * mean) / (count[g].sum() + 5) for g in groups]
        if rest and count[rest].sum() < LEAST_SUPPORT:
            smoothed[-1] = -np.inf  # nothing is known of missing and of new values: they join the lower side
        groups = [groups[i] for i in sorted(range(len(groups)), key=lambda i: (smoothed[i], i))]
    if len(groups) < 2:
        return nothing
    counts = np.cumsum([count[g].sum() for g in groups])
    totals = np.cumsum([total[g].sum() for g in groups])
    left_n, left_sum = counts[:-1], totals[:-1]
    right_n, right_sum = counts[-1] - left_n, totals[-1] - left_sum
    valid = (left_n >= least) & (right_n >= least)
    if like is not None:
        both_left = np.cumsum([count[[c for c in g if like[c]]].sum() for g in groups])
        only_left, only_like = left_n - both_left[:-1], both_left[-1] - both_left[:-1]
        apart, both_right = only_left + only_like, right_n - only_like
        valid &= np.minimum(both_left[:-1], both_right) >= LIKENESS * (np.minimum(both_left[:-1], both_right) + apart)
    if not valid.any():
        return nothing
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = left_sum**2 / left_n + right_sum**2 / right_n - totals[-1] ** 2 / counts[-1]
    gain = np.where(valid, gain, -np.inf)
    at = int(np.argmax(gain))
    left = np.zeros(trait.size, dtype=bool)
    left[[c for g in groups[: at + 1] for c in g]] = True
    return Split(float(max(gain[at], 0.0)), number, missing_split, left)


def refitted(tree: list[Node], traits: list[Trait], target: np.ndarray, train: np.ndarray) -> list[Node]:
    """The same tree with each split's set or threshold chosen again from `train` rows only, to place other rows.

    Each split is chosen among the rows that its node really has: were they those of the splits chosen again above it, one
    that turns out differently would make other segments of all that is below.
    """
    made = list(tree)
    rows = {0: np.flatnonzero(train)}
    least = max(10, round(0.01 * len(rows[0])))
    for number, node in enumerate(tree):
        if node.trait < 0:
            continue
        here, trait = rows[number], traits[node.trait]
        own = tree[node.left].allowed[node.trait]
        split = _split_of(trait, node.trait, target[here], here, node.allowed, least, node.is_missing_split, own)
        left = _for_all_codes(split.left if split.gain > 0 else own, trait, node.allowed.get(node.trait))
        goes_left = own[trait.codes[here]]
        for child, side in ((node.left, True), (node.right, False)):
            made[child] = made[child]._replace(allowed={node.trait: left == side})
            rows[child] = here[goes_left == side]
    return made


def _for_all_codes(left: np.ndarray, trait: Trait, mask: np.ndarray | None) -> np.ndarray:
    """A side also for codes that are not in the node: of numbers that of the nearest, else the lower side."""
    if mask is None or mask.all():
        return left
    if not trait.is_numeric or not mask[:-1].any():
        return left | ~mask
    bins = np.flatnonzero(mask[:-1])
    nearest = np.clip(np.arange(trait.size - 1), bins[0], bins[-1])
    return np.append(left[nearest], left[-1] if mask[-1] else left[bins[0]])


def pruned(tree: list[Node], leaf: np.ndarray, target: np.ndarray, score: np.ndarray) -> tuple[list[Node], np.ndarray]:
    """Undo, from the leaves up, each split whose sides do not differ on folds that did not choose it."""
    tree, leaf = list(tree), leaf.copy()
    for number in range(len(tree) - 1, -1, -1):
        node = tree[number]
        if node.trait < 0 or tree[node.left].trait >= 0 or tree[node.right].trait >= 0:
            continue
        left, right = leaf == node.left, leaf == node.right
        rises = target[right].sum() * left.sum() >= target[left].sum() * right.sum()
        low, high = (left, right) if rises else (right, left)
        if _t(score[low], score[high]) < LEAST_T:
            leaf[(leaf == node.left) | (leaf == node.right)] = number
            tree[number] = Node(node.allowed, -1, False, -1, -1)
    return tree, leaf


def _t(low: np.ndarray, high: np.ndarray) -> float:
    """Welch's t of high above low, 0 where a side is too small to say."""
    if min(len(low), len(high)) < 5:
        return 0.0
    se = np.sqrt(low.var() / len(low) + high.var() / len(high))
    return float((high.mean() - low.mean()) / se) if se > 0 else 0.0


def leaves_under(tree: list[Node], number: int) -> list[int]:
    node = tree[number]
    if node.trait < 0:
        return [number]
    return leaves_under(tree, node.left) + leaves_under(tree, node.right)


def leaf_means(tree: list[Node], traits: list[Trait], target: np.ndarray, train: np.ndarray, held: np.ndarray) -> np.ndarray:
    """The mean target of train rows in the leaf of each held row, relative to the mean of all."""
    known = leaf_of(tree, traits, train)
    total = np.bincount(known, weights=target[train], minlength=len(tree))
    count = np.bincount(known, minlength=len(tree))
    mean = target[train].mean()
    return (np.where(count > 0, total / np.maximum(count, 1), mean) - mean)[leaf_of(tree, traits, held)]


def leaf_of(tree: list[Node], traits: list[Trait], chosen: np.ndarray) -> np.ndarray:
    """The number of the leaf of each chosen row."""
    rows = np.flatnonzero(chosen)
    leaf = np.zeros(len(rows), dtype=int)
    for number, node in enumerate(tree):
        if node.trait < 0:
            continue
        here = np.flatnonzero(leaf == number)
        goes_left = tree[node.left].allowed[node.trait][traits[node.trait].codes[rows[here]]]
        leaf[here] = np.where(goes_left, node.left, node.right)
    return leaf
