from dataclasses import replace
from math import comb, factorial

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from phmri.exceptions import InferenceError
from phmri.group import Exchangeability, UnitDesign, exchange_repeated, exchange_within
from phmri.inference.shuffling._row_tree import row_orbits
from phmri.inference.shuffling._source import (
    check_exchangeability,
    labels_move,
    make_source,
    plan_shufflings,
    row_labels,
)
from phmri.protocol import Inference


def make_design(X, contrast, *, exchangeability=None, **fields):
    X = np.asarray(X, dtype=float)
    within = exchangeability or exchange_within(np.zeros(len(X), dtype=np.int64))
    values = {"estimator": "post", "voxelwise_baseline": False, **fields}
    return UnitDesign(
        subjects=tuple(f"{k:02d}" for k in range(len(X))),
        groups=("x",) * len(X),
        X=X,
        columns=tuple(map(str, range(X.shape[1]))),
        contrast=np.asarray(contrast, dtype=float),
        exchangeability=within,
        notes=(),
        sentences=(),
        **values,
    )


def arms(counts, *covariates):
    of_row = np.repeat(np.arange(len(counts)), counts)
    return np.column_stack([np.eye(len(counts))[of_row], *covariates])


def tree(levels, exchanged, *, kind="permute", fixed=()):
    levels = np.asarray(levels, dtype=np.int64)
    return Exchangeability(
        kind=kind,
        levels=levels,
        exchanged=exchanged,
        fixed=np.isin(np.arange(len(levels)), fixed),
        null="",
        words="",
    )


AGE = np.arange(7) ** 2.0


@pytest.mark.parametrize(
    ("design", "n_distinct"),
    [
        (make_design(arms([3, 4]), [1, -1]), comb(7, 3)),
        (make_design(arms([3, 4], AGE), [1, -1, 0]), factorial(7)),
        (
            make_design(arms([3, 4]), [1, -1], estimator="ancova", voxelwise_baseline=True),
            factorial(7),
        ),
        (make_design(arms([2, 2, 3]), [[1, -1, 0], [0, 1, -1]]), factorial(7) // (2 * 2 * 6)),
        (
            make_design(
                arms([2, 2, 3]),
                [1, -1, 0],
                exchangeability=exchange_within(np.array([0, 0, 0, 0, -1, -1, -1])),
            ),
            comb(4, 2),
        ),
        (
            make_design(
                np.ones((9, 1)),
                [1],
                exchangeability=exchange_within(np.zeros(9, dtype=np.int64), kind="sign_flip"),
                estimator="paired",
            ),
            2**9,
        ),
    ],
)
def test_distinct_shufflings_of_a_design(design, n_distinct):
    source = make_source(design, Inference(n_permutations=100))
    assert source.n_distinct == n_distinct
    assert source.exhaustive == (n_distinct <= 100)
    assert source.n_used == min(n_distinct, 100)


def test_labels_that_move_meet_nuisance_and_baseline_that_stay():
    design = make_design(arms([3, 4], AGE), [1, -1, 0])
    settings = Inference(n_permutations=100, nuisance="draper_stoneman")
    assert labels_move(design, settings)
    source = make_source(design, settings)
    assert (source.n_distinct, source.moves_labels) == (comb(7, 3), True)
    labels = np.repeat([1, 0], [3, 4])
    assert len(np.unique(labels[source.take(range(35)).order], axis=0)) == 35


def test_dealt_columns_always_move():
    dealt = np.array([True, True, True])
    design = make_design(arms([2, 2, 3]), [1, -1, 0], dealt=dealt)
    assert labels_move(design, Inference())
    assert_array_equal(row_labels(design, moves_labels=True), [2, 2, 1, 1, 0, 0, 0])
    assert row_labels(design, moves_labels=False) is None  # the third arm is nuisance that moves


def test_rows_of_another_variance_group_are_not_alike():
    design = make_design(arms([3, 4]), [1, -1], variance_groups=np.array([0, 0, 1, 1, 1, 1, 1]))
    assert_array_equal(row_labels(design, moves_labels=False), [1, 1, 2, 0, 0, 0, 0])


def test_nuisance_constant_among_rows_that_change_places_does_not_count():
    subjects = np.repeat(list("abcd"), 2).tolist()
    visits = ["1", "2"] * 4
    group = np.repeat([0.0, 0, 1, 1], 2)
    visit = np.tile([0.0, 1], 4)
    X = np.column_stack([group == 1, group == 0, visit])
    between = exchange_repeated(subjects, visits, effect="between")
    design = make_design(X, [1, -1, 0], exchangeability=between)
    assert_array_equal(row_orbits(between), np.tile([0, 1], 4))
    assert make_source(design, Inference()).n_distinct == comb(4, 2)
    within = exchange_repeated(subjects, visits, effect="within")
    assert_array_equal(row_orbits(within), np.repeat(np.arange(4), 2))
    assert (
        row_labels(make_design(X, [1, -1, 0], exchangeability=within), moves_labels=False) is None
    )


def test_a_participant_with_a_fixed_row_stays_but_its_visits_may_move():
    levels = [(p, v) for p in range(3) for v in range(3)]
    exchangeability = tree(levels, (True, True), fixed=[0])
    source = plan_shufflings(exchangeability, None, moves_labels=True, seed=0, n_wanted=0)
    assert source.n_distinct == 2 * 6 * 6 * 2
    assert_array_equal(row_orbits(exchangeability), [2, 1, 1, 0, 0, 0, 0, 0, 0])


def test_keys_tell_whether_shufflings_are_the_same():
    settings = Inference(n_permutations=100, seed=3)
    design = make_design(arms([3, 4], AGE), [1, -1, 0])
    key = make_source(design, settings).key
    assert key == make_source(replace(design, contrast=np.array([0.0, 0, 1])), settings).key
    assert key != make_source(design, settings.model_copy(update={"seed": 4})).key
    assert key != make_source(replace(design, subjects=tuple("abcdefg")), settings).key
    small = make_design(arms([3, 4]), [1, -1])
    other = make_design(arms([4, 3]), [1, -1])
    assert make_source(small, settings).key != make_source(other, settings).key


@pytest.mark.parametrize("numbers", [range(-1, 3), range(101), range(0, 10, 2)])
def test_numbers_outside_the_test_are_refused(numbers):
    source = make_source(make_design(arms([3, 4], AGE), [1, -1, 0]), Inference(n_permutations=100))
    with pytest.raises(InferenceError, match=r"range\(0, 100\)"):
        source.take(numbers)


@pytest.mark.parametrize(
    ("exchangeability", "words"),
    [
        (tree([[0], [1]], (True, True)), "levels of the tree; found 2; expected 1"),
        (tree([[0, 0], [0, 1]], (False, False)), "no level is exchanged"),
        (tree([[0, 0], [0, 0], [0, 1]], (False, True)), "no level tells apart"),
        (tree([[0, 0], [1, 1]], (False, True)), "nothing can be shuffled"),
        (tree([[0, 0], [0, 1]], (False, True), fixed=[1]), "nothing can be shuffled"),
        (tree([[0], [1]], (True,), kind="sign_flip", fixed=[0, 1]), "2 of 2 rows fixed"),
        (
            tree([[0, 0], [0, 1], [1, 0], [1, 1], [2, 0]], (True, False)),
            "found row 4 unlike the other 2",
        ),
        (tree([[0, 0], [0, 1], [1, 0], [1, 2]], (True, False)), "hold different rows"),
    ],
)
def test_trees_that_contradict_themselves_are_refused(exchangeability, words):
    with pytest.raises(InferenceError, match=words):
        check_exchangeability(exchangeability)


def test_all_faults_of_a_tree_come_at_once_and_are_named():
    broken = tree([[0, 0], [0, 0], [1, 0], [2, 0]], (True, False))
    with pytest.raises(InferenceError) as caught:
        check_exchangeability(broken, ("a", "a", "b", "c"))
    assert len(caught.value.problems) == 2
    assert "found a unlike the other 2" in str(caught.value)


def test_labels_of_another_length_are_refused():
    with pytest.raises(InferenceError, match="labels of another length"):
        plan_shufflings(
            exchange_within(np.zeros(4, dtype=np.int64)),
            np.zeros(3, dtype=np.int64),
            moves_labels=True,
            seed=0,
            n_wanted=1,
        )
