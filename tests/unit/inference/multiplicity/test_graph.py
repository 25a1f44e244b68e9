import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from phmri.exceptions import InferenceError
from phmri.inference.multiplicity import (
    AlphaGraph,
    adjust_by_graph,
    adjust_in_order,
    adjust_pvalues,
    make_alpha_graph,
    make_serial_graph,
)

NAMES = ("acute", "day", "scale")
CHAIN = make_alpha_graph(
    NAMES, {"acute": 1.0}, {"acute": {"day": 1.0}, "day": {"scale": 1.0}, "scale": {}}
)


def test_a_chain_is_the_fixed_sequence():
    p = np.array([0.02, 0.01, 0.04])
    assert_array_equal(adjust_by_graph(p, CHAIN), adjust_pvalues(p, "fixed_sequence"))


def test_no_transitions_is_weighted_bonferroni():
    graph = make_alpha_graph(NAMES, {"acute": 0.5, "day": 0.25}, {})
    assert_allclose(adjust_by_graph(np.array([0.02, 0.01, 0.0]), graph), [0.04, 0.04, 1.0])


def test_two_that_leave_all_to_each_other_are_holm():
    both_ways = make_alpha_graph(
        ["a", "b"], {"a": 0.5, "b": 0.5}, {"a": {"b": 1.0}, "b": {"a": 1.0}}
    )
    assert_allclose(adjust_by_graph(np.array([0.02, 0.03]), both_ways), [0.04, 0.04])
    assert_allclose(adjust_by_graph(np.array([0.01, 0.03]), both_ways), [0.02, 0.03])


def test_what_is_given_is_not_changed():
    weights, transitions = CHAIN.weights.copy(), CHAIN.transitions.copy()
    adjust_by_graph(np.array([0.02, 0.01, 0.04]), CHAIN)
    assert_array_equal(CHAIN.weights, weights)
    assert_array_equal(CHAIN.transitions, transitions)


@pytest.mark.parametrize("third", [0.3333333333333334, 0.3333335])
def test_thirds_may_add_up_to_a_little_more_than_one_and_no_alpha_comes_of_it(third):
    graph = make_alpha_graph(
        NAMES, dict.fromkeys(NAMES, third), {"acute": {"day": 0.5000004, "scale": 0.5000004}}
    )
    assert_allclose([graph.weights.sum(), graph.transitions[0].sum()], 1.0, rtol=1e-15)
    with pytest.raises(InferenceError, match="at most 1"):
        make_alpha_graph(NAMES, dict.fromkeys(NAMES, 0.334), {})


def test_all_faults_are_told_at_once():
    with pytest.raises(InferenceError) as caught:
        make_alpha_graph(
            NAMES,
            {"acute": 0.8, "day": 0.4, "sclae": 0.1},
            {
                "acute": {"acute": 0.5, "dya": 1.0},
                "day": {"acute": 0.7, "scale": 0.7},
                "scale": {"acute": -0.1},
                "nobody": {"acute": 1.0},
            },
        )
    assert [problem.field for problem in caught.value.problems] == [
        "weights.sclae",
        "transitions.acute.dya",
        "transitions.nobody",
        "weights",
        "transitions.day",
        "transitions.scale.acute",
        "transitions.acute.acute",
    ]
    assert "weights: shares of the error rate add up to at most 1; found 1.2" in str(caught.value)


def test_not_a_number_is_no_share():
    with pytest.raises(InferenceError, match=r"weights\.day: a share .*found nan"):
        make_alpha_graph(NAMES, {"acute": 0.5, "day": np.nan}, {})


def test_names_are_counted():
    with pytest.raises(InferenceError, match="found day more than once") as caught:
        AlphaGraph(names=("day", "day"), weights=np.ones(3), transitions=np.zeros((3, 3)))
    assert "found 3 for 2 names" in str(caught.value)


def test_one_p_value_for_each():
    with pytest.raises(InferenceError, match="found 2 for 3 hypotheses"):
        adjust_by_graph(np.array([0.1, 0.2]), CHAIN)
    with pytest.raises(InferenceError, match="not probabilities"):
        adjust_by_graph(np.array([0.1, 0.2, np.nan]), CHAIN)


def test_later_families_wait_for_all_before():
    first, second, third = adjust_in_order(
        (np.array([0.01, 0.04]), np.array([0.02, 0.2]), np.array([0.001]))
    )
    assert first.tolist() == [0.01, 0.04]
    assert second.tolist() == [0.04, 0.2]
    assert third.tolist() == [0.2]


def test_families_by_graph_are_families_in_order():
    rng = np.random.default_rng(4)
    sizes = (3, 1, 20, 2)
    families = [[f"{f}.{i}" for i in range(size)] for f, size in enumerate(sizes)]
    graph = make_serial_graph(families)
    for _ in range(20):
        parts = [rng.random(size) * 10.0 ** -(1 + rng.integers(4)) for size in sizes]
        in_order = adjust_in_order([adjust_pvalues(part, "holm") for part in parts])
        by_graph = adjust_by_graph(np.concatenate(parts), graph)
        assert_allclose(by_graph, np.concatenate(in_order), rtol=1e-6)


def test_empty_families_are_refused():
    with pytest.raises(InferenceError, match=r"families\[1\]: a family needs") as caught:
        make_serial_graph([["a"], [], []])
    assert len(caught.value.problems) == 2
    with pytest.raises(InferenceError, match="families: a family needs"):
        make_serial_graph([])
    with pytest.raises(InferenceError, match=r"families\[0\]: p-values.*\nfamilies\[1\]: a fam"):
        adjust_in_order([np.array([2.0]), np.array([])])
    assert adjust_in_order([]) == ()
