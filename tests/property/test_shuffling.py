"""Shufflings of small random trees against the group that their swaps generate, by brute force."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from scipy import stats

from phmri.group import Exchangeability
from phmri.inference.shuffling._row_tree import flip_members
from phmri.inference.shuffling._source import plan_shufflings

SEEDS = st.integers(0, 2**32 - 1)
LARGEST_GROUP = 1500


def random_tree(seed, kind="permute"):
    """Make a tree of at most 8 rows, with the address of every row from the root down.

    Siblings of an exchanged level are built alike; rows stand in random order and members of
    exchanged levels have random labels.
    """
    rng = np.random.default_rng(seed)
    n_levels = int(rng.integers(1, 4))
    exchanged = tuple(rng.random(n_levels) < 0.7)

    def grow(depth):
        if depth == n_levels:
            return [()]
        n = int(rng.integers(1, 5 if n_levels == 1 else 4))
        same = grow(depth + 1)
        parts = [same if exchanged[depth] else grow(depth + 1) for _ in range(n)]
        return [(k, *rest) for k, part in enumerate(parts) for rest in part]

    addresses = grow(0)
    addresses = [addresses[k] for k in rng.permutation(len(addresses))]
    levels = np.array(addresses, dtype=np.int64)
    for depth in np.flatnonzero(exchanged):
        for parent in {address[:depth] for address in addresses}:
            below = [k for k, address in enumerate(addresses) if address[:depth] == parent]
            names = rng.permutation(9)
            levels[below, depth] = names[levels[below, depth]]
    tree = Exchangeability(
        kind=kind,
        levels=levels,
        exchanged=tuple(map(bool, exchanged)),
        fixed=rng.random(len(levels)) < rng.choice([0, 0.2]),
        null="",
        words="",
    )
    return tree, addresses, rng


def swaps(tree, addresses):
    """List the orders that swap two free siblings of an exchanged level, with all below them."""
    row_at = {address: row for row, address in enumerate(addresses)}
    for depth in np.flatnonzero(tree.exchanged):
        members = sorted({address[: depth + 1] for address in addresses})
        held = {a[: depth + 1] for a, fixed in zip(addresses, tree.fixed, strict=True) if fixed}
        for one, other in product(members, members):
            if one[:-1] == other[:-1] and one < other and not {one, other} & held:
                order = list(range(len(addresses)))
                for address, row in row_at.items():
                    if address[: depth + 1] == one:
                        partner = row_at[(*other, *address[depth + 1 :])]
                        order[row], order[partner] = partner, row
                yield tuple(order)


def generate(generators, n_rows):
    """List the group that orders generate, as far as it is small."""
    found = {tuple(range(n_rows))}
    new = set(found)
    while new:
        new = {tuple(o[k] for k in g) for o in new for g in generators} - found
        found |= new
        assume(len(found) <= LARGEST_GROUP)
    return found


def plan(tree, labels, *, n_wanted=10**6, **settings):
    return plan_shufflings(
        tree, labels, **{"moves_labels": True, "seed": 5, "n_wanted": n_wanted, **settings}
    )


@given(SEEDS, st.integers(1, 4))
@settings(max_examples=150, deadline=None)
def test_every_distinct_arrangement_of_labels_once(seed, n_labels):
    tree, addresses, rng = random_tree(seed)
    assume(len(addresses) <= 8)
    generators = list(swaps(tree, addresses))
    assume(generators)
    group = generate(generators, len(addresses))
    assert plan(tree, None, n_wanted=0).n_distinct == len(group)

    labels = rng.integers(0, n_labels, len(addresses))
    arrangements = {tuple(labels[list(order)]) for order in group}
    assert plan(tree, labels, n_wanted=0).n_distinct == len(arrangements)
    for moves_labels in (True, False):
        source = plan(tree, labels, moves_labels=moves_labels)
        order = source.take(range(source.n_used)).order
        assert_array_equal(order[0], np.arange(len(labels)))
        assert {tuple(row) for row in order} <= group
        # Residuals that move meet the labels at the inverse order.
        met = labels[order] if moves_labels else labels[np.argsort(order, axis=1)]
        assert len(order) == len(arrangements)
        assert {tuple(row) for row in met} == arrangements


@given(SEEDS, st.sampled_from(["sign_flip", "both"]))
@settings(max_examples=60, deadline=None)
def test_every_distinct_pattern_of_signs_once(seed, kind):
    tree, addresses, _ = random_tree(seed, kind)
    assume(len(addresses) <= 8 and any(tree.exchanged))
    deepest = int(np.flatnonzero(tree.exchanged).max())
    members = {}
    for row, address in enumerate(addresses):
        members.setdefault(address[: deepest + 1], []).append(row)
    free = [rows for rows in members.values() if not tree.fixed[rows].any()]
    assume(free)
    generators = list(swaps(tree, addresses)) if kind == "both" else []
    group = generate(generators, len(addresses))
    assume(len(group) * 2 ** len(free) <= LARGEST_GROUP)
    wanted = set()
    for order, choice in product(group, product((1, -1), repeat=len(free))):
        sign = np.ones(len(addresses), dtype=int)
        for rows, value in zip(free, choice, strict=True):
            sign[rows] = value
        wanted.add((order, tuple(sign)))
    source = plan(tree, None)
    taken = source.take(range(source.n_used))
    found = [
        (tuple(o), tuple(s)) for o, s in zip(taken.order, taken.sign.astype(int), strict=True)
    ]
    assert source.n_distinct == len(found) == len(wanted)
    assert set(found) == wanted
    assert found[0] == (tuple(range(len(addresses))), (1,) * len(addresses))


@given(SEEDS, st.sampled_from(["permute", "sign_flip", "both"]))
@settings(max_examples=60, deadline=None)
def test_drawn_shufflings_are_shufflings_and_start_with_the_identity(seed, kind):
    tree, addresses, _ = random_tree(seed, kind)
    assume(len(addresses) <= 8)
    generators = list(swaps(tree, addresses)) if kind != "sign_flip" else []
    assume(generators or (any(tree.exchanged) and (flip_members(tree) >= 0).any()))
    group = generate(generators, len(addresses))
    taken = replace(plan(tree, None, n_wanted=0), n_used=40).take(range(40))
    assert {tuple(row) for row in taken.order} <= group
    assert_array_equal(taken.order[0], np.arange(len(addresses)))
    assert_array_equal(taken.sign[0], 1)
    member = flip_members(tree)
    for rows in (np.flatnonzero(member == k) for k in range(member.max() + 1)):
        assert (taken.sign[:, rows] == taken.sign[:, rows[:1]]).all()
    assert (taken.sign[:, member < 0] == 1).all()


@pytest.mark.parametrize(
    ("kind", "n_rows", "exchanged", "fixed"),
    [
        ("permute", 4, (True,), []),
        ("both", 3, (True,), [2]),
        ("permute", 6, (True, True), []),
        ("permute", 6, (True, False), []),
        ("both", 4, (True, True), []),
        ("sign_flip", 6, (True, False), []),
    ],
)
def test_drawn_shufflings_are_uniform(kind, n_rows, exchanged, fixed):
    rows = np.arange(n_rows)
    levels = np.column_stack([rows // 2, rows % 2])[:, -len(exchanged) :]
    tree = Exchangeability(
        kind=kind,
        levels=rows[:, None] if len(exchanged) == 1 else levels,
        exchanged=exchanged,
        fixed=np.isin(rows, fixed),
        null="",
        words="",
    )
    source = plan(tree, None, n_wanted=0)
    n_distinct = source.n_distinct
    n_drawn = 60 * n_distinct
    source = replace(source, n_used=n_drawn + 1)
    taken = source.take(range(1, n_drawn + 1))
    both = np.column_stack([taken.order, taken.sign])
    _, counts = np.unique(both, axis=0, return_counts=True)
    assert counts.size == n_distinct
    assert stats.chisquare(counts).pvalue > 1e-3


@given(SEEDS, st.integers(0, 60), st.integers(0, 60), st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_shuffling_depends_on_its_number_alone(seed, start, stop, exhaustive):
    rows = np.arange(6)
    tree = Exchangeability(
        kind="both",
        levels=np.column_stack([rows // 2, rows % 2]),
        exchanged=(True, True),
        fixed=np.zeros(6, dtype=bool),
        null="",
        words="",
    )
    start, stop = sorted((start, stop))
    source = plan(tree, None, seed=seed, n_wanted=10**4 if exhaustive else 100)
    assert source.exhaustive == exhaustive
    whole, part = source.take(range(60)), source.take(range(start, stop))
    assert_array_equal(part.order, whole.order[start:stop])
    assert_array_equal(part.sign, whole.sign[start:stop])
