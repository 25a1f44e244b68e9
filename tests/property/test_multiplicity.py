"""What holds of adjusted p-values, whatever the p-values and the graph."""

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_allclose

from phmri.inference.multiplicity import AlphaGraph, adjust_by_graph, adjust_pvalues

# Few values, so that ties and zeros come often.
coarse = st.integers(0, 40).map(lambda i: i / 40)
pvalues = st.integers(1, 7).flatmap(lambda n: arrays(float, n, elements=coarse))


@st.composite
def graphs(draw):
    n = draw(st.integers(1, 5))
    shares = arrays(float, (n + 1, n), elements=st.integers(0, 4).map(float))
    drawn = draw(shares)
    np.fill_diagonal(drawn[1:], 0.0)
    whole = draw(arrays(float, n + 1, elements=st.sampled_from([0.5, 1.0])))
    parts = whole[:, None] * drawn / np.maximum(drawn.sum(1, keepdims=True), 1)
    pvalue = draw(arrays(float, n, elements=st.integers(1, 60).map(lambda i: i / 600)))
    return parts, pvalue


def closed(pvalue, test):
    """Adjust by testing every set of hypotheses."""
    adjusted = np.zeros(pvalue.size)
    everyone = range(pvalue.size)
    for size in range(1, pvalue.size + 1):
        for members in map(list, combinations(everyone, size)):
            adjusted[members] = np.maximum(adjusted[members], min(1.0, test(members)))
    return adjusted


def simes(pvalue):
    return (pvalue.size * np.sort(pvalue) / np.arange(1, pvalue.size + 1)).min()


def weights_of(members, graph):
    """Let the shares of absent hypotheses walk through the graph, a million steps, to members."""
    absent = [j for j in range(len(graph.names)) if j not in members]
    inner = graph.transitions[np.ix_(absent, absent)]
    outward = graph.transitions[np.ix_(absent, members)]
    visits, step = np.eye(len(absent)), inner
    for _ in range(20):
        visits, step = visits + step @ visits, step @ step
    return graph.weights[members] + graph.weights[absent] @ visits @ outward


@settings(max_examples=60, deadline=None)
@given(graphs())
def test_a_graph_is_closed_testing_with_weighted_bonferroni(case):
    parts, pvalue = case
    names = tuple("abcde"[: pvalue.size])
    graph = AlphaGraph(names=names, weights=parts[0], transitions=parts[1:])

    def weighted_bonferroni(members):
        weights = weights_of(members, graph)
        ratio = np.full(len(members), np.inf)
        np.divide(pvalue[members], weights, out=ratio, where=weights > 1e-12)
        return ratio.min()

    assert_allclose(adjust_by_graph(pvalue, graph), closed(pvalue, weighted_bonferroni), rtol=1e-9)


@settings(max_examples=80, deadline=None)
@given(pvalues)
def test_hommel_is_closed_testing_with_simes(pvalue):
    assert_allclose(
        adjust_pvalues(pvalue, "hommel"),
        closed(pvalue, lambda members: simes(pvalue[members])),
        rtol=1e-12,
    )


@settings(max_examples=60, deadline=None)
@given(pvalues)
def test_holm_is_closed_testing_with_bonferroni(pvalue):
    assert_allclose(
        adjust_pvalues(pvalue, "holm"),
        closed(pvalue, lambda members: len(members) * pvalue[members].min()),
        rtol=1e-12,
    )


@settings(max_examples=60, deadline=None)
@given(arrays(float, st.integers(1, 300), elements=coarse))
def test_each_method_is_at_least_as_strong_as_the_one_before(pvalue):
    ladder = [
        adjust_pvalues(pvalue, method) for method in ("bonferroni", "holm", "hochberg", "hommel")
    ]
    for weaker, stronger in zip(ladder, [*ladder[1:], pvalue], strict=True):
        assert (stronger <= weaker * (1 + 1e-12)).all()


@settings(max_examples=60, deadline=None)
@given(arrays(float, st.integers(1, 200), elements=st.floats(0, 1)), st.integers(0, 99))
def test_the_order_of_hypotheses_does_not_matter(pvalue, seed):
    order = np.random.default_rng(seed).permutation(pvalue.size)
    for method in ("holm", "hochberg", "hommel"):
        assert_allclose(
            adjust_pvalues(pvalue[order], method), adjust_pvalues(pvalue, method)[order]
        )
