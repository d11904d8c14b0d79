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
    nodes, table = [Node({}, -1, False, -1, -1)], _side_by_side(traits)
    rows = {0: np.flatnonzero(train)}
    enough = LEAST_GAIN * n * target[train].var()
    splits = {0: _best_split(traits, table, target, rows[0], {}, least, max_conditions)}
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
            splits[child] = _best_split(traits, table, target, rows[child], nodes[child].allowed, least, max_conditions)
        nodes[number] = Node(node.allowed, split.trait, split.is_missing_split, len(nodes) - 2, len(nodes) - 1)
    return nodes


def _narrowed(allowed: dict[int, np.ndarray], split: Split, left: bool, traits: list[Trait]) -> dict[int, np.ndarray]:
    before = allowed.get(split.trait, np.ones(traits[split.trait].size, dtype=bool))
    return allowed | {split.trait: before & (split.left if left else ~split.left)}


class Histograms(NamedTuple):
    """Codes of all traits side by side, padded to the longest: `codes` (pursuits × traits), and per trait how to read them."""

    codes: np.ndarray
    sizes: np.ndarray
    is_numeric: np.ndarray


def _side_by_side(traits: list[Trait]) -> Histograms:
    codes = np.stack([trait.codes for trait in traits], axis=1).astype(np.int64)
    sizes = np.array([trait.size for trait in traits])
    return Histograms(codes + np.arange(len(traits)) * sizes.max(), sizes, np.array([trait.is_numeric for trait in traits]))


def _best_split(
    traits: list[Trait],
    table: Histograms,
    target: np.ndarray,
    rows: np.ndarray,
    allowed: dict[int, np.ndarray],
    least: int,
    max_conditions: int,
) -> Split:
    best = Split(0.0, -1, False, np.zeros(0, dtype=bool))
    for number, is_missing_split, gain, left in _splits(table, target[rows], rows, allowed, least):
        if gain <= best.gain * (1 + 1e-9):
            continue
        split = Split(gain, number, is_missing_split, left[: traits[number].size])
        if all(len(conditions_of(traits, _narrowed(allowed, split, side, traits))) <= max_conditions for side in (True, False)):
            best = split
    return best


def _splits(
    table: Histograms,
    y: np.ndarray,
    rows: np.ndarray,
    allowed: dict[int, np.ndarray],
    least: int,
    like: np.ndarray | None = None,
) -> list[tuple[int, bool, float, np.ndarray]]:
    """The best split of a node on each trait, and on whether it is missing: trait, `is_missing_split`, gain, codes that go left.

    Only splits with `least` rows on both sides. With `like` (the codes that go left) only those both of whose sides are much the
    same as its sides.
    """
    many, size = len(table.sizes), table.sizes.max()
    flat = table.codes[rows].ravel()
    count = np.bincount(flat, minlength=many * size).reshape(many, size).astype(float)
    total = np.bincount(flat, weights=np.repeat(y, many), minlength=many * size).reshape(many, size)
    mask = np.arange(size) < table.sizes[:, None]
    for number, its in allowed.items():
        mask[number, : len(its)] &= its
    # For each trait two orders of its codes: by value or mean, and missing against the rest. Codes of one group stay together.
    group, key = (np.concatenate(both) for both in _orders(table, count, total, mask, y))
    count, total = np.tile(count, (2, 1)), np.tile(total, (2, 1))
    order = np.lexsort((group, key), axis=-1)
    group, counts, totals = (np.take_along_axis(part, order, axis=1) for part in (group, count, total))
    counts, totals = np.cumsum(counts, axis=1), np.cumsum(totals, axis=1)
    left_n, left_sum = counts[:, :-1], totals[:, :-1]
    right_n, right_sum = counts[:, -1:] - left_n, totals[:, -1:] - left_sum
    valid = (left_n >= least) & (right_n >= least) & (group[:, :-1] != group[:, 1:]) & (group[:, 1:] <= size)
    if like is not None:
        alike = np.cumsum(np.take_along_axis(count * np.pad(like, (0, size - len(like))), order, axis=1), axis=1)
        both_left, only_like = alike[:, :-1], alike[:, -1:] - alike[:, :-1]
        both_right = right_n - only_like
        apart = left_n - both_left + only_like
        valid &= np.minimum(both_left, both_right) >= LIKENESS * (np.minimum(both_left, both_right) + apart)
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = left_sum**2 / left_n + right_sum**2 / right_n - totals[:, -1:] ** 2 / counts[:, -1:]
    gain = np.where(valid, gain, -np.inf)
    at = gain.argmax(axis=1)
    found = []
    for number in range(many):
        for is_missing_split in (False, True):
            row = number + many * is_missing_split
            if valid[row, at[row]]:
                left = np.zeros(size, dtype=bool)
                left[order[row, : at[row] + 1]] = True
                found.append((number, is_missing_split, float(max(gain[row, at[row]], 0.0)), left))
    return found


def _orders(
    table: Histograms, count: np.ndarray, total: np.ndarray, mask: np.ndarray, y: np.ndarray
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Groups and keys of the codes (traits × codes) for both ways to split; a group above the number of codes takes no part."""
    size = mask.shape[1]
    code, missing = np.broadcast_to(np.arange(size), mask.shape), np.arange(size) == table.sizes[:, None] - 1
    nowhere = size + 1
    # Numbers: in their order, missing with the lowest.
    low = np.where(mask & ~missing, code, nowhere).min(axis=1, keepdims=True)
    numeric = np.where(missing, low, code)
    # Texts: by their smoothed mean; missing, other values and those that are not here are one group.
    other = np.arange(size) == table.sizes[:, None] - 2
    has_rest = (mask & other).any(axis=1, keepdims=True)
    rest = mask & has_rest & (missing | other | (count == 0))
    text = np.where(rest, size, np.where(missing, nowhere, code))
    n, summed = (np.where(rest, (part * rest).sum(axis=1, keepdims=True), part) for part in (count, total))
    mean = (summed + 5 * (y.mean() if len(y) else 0.0)) / (n + 5)
    # Nothing is known of missing and of new values where they are few: they join the lower side.
    mean = np.where(rest & (n < LEAST_SUPPORT), -np.inf, mean)
    # Without new values among them, missing ones have no side.
    stuck = ~has_rest & (mask & missing).any(axis=1, keepdims=True)
    is_numeric = table.is_numeric[:, None]
    group = np.where(mask & (is_numeric | ~stuck), np.where(is_numeric, numeric, text), nowhere)
    key = np.where(group < nowhere, np.where(is_numeric, numeric, mean), np.inf)
    apart = np.where(mask & (mask & missing).any(axis=1, keepdims=True), np.where(missing, 0, 1), nowhere)
    return (group, apart), (key, apart.astype(float))


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
        mask = {0: node.allowed[node.trait]} if node.trait in node.allowed else {}
        splits = _splits(_side_by_side([trait]), target[here], here, mask, least, own)
        found = [left for _, is_missing, gain, left in splits if is_missing == node.is_missing_split and gain > 0]
        left = _for_all_codes(found[0] if found else own, trait, node.allowed.get(node.trait))
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
