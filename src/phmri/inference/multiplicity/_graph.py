"""A graph that hands the error rate of a rejected hypothesis to the others."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from phmri.exceptions import InferenceError, Problem
from phmri.inference.multiplicity._check import check_pvalues

__all__ = ["AlphaGraph", "adjust_by_graph", "make_alpha_graph"]

ROUNDING = 1e-12
DECIMALS = 1e-6
"""How far shares written as decimals may add up beyond 1; those of a protocol are checked so."""
"""How far a sum of thirds may lie beyond 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlphaGraph:
    """Hold how the error rate is shared at first, and to whom each hypothesis leaves its share.

    Parameters
    ----------
    names : tuple of str
        What is asked by each hypothesis; all different.
    weights : ndarray of shape (n_hypotheses,)
        Shares of the error rate, not negative; their sum is at most 1.
    transitions : ndarray of shape (n_hypotheses, n_hypotheses)
        Row j: the parts of its share that j leaves to each other once it is rejected, not
        negative; zero for itself; their sum is at most 1.

    Raises
    ------
    InferenceError
        When that does not hold; all at once.
    """

    names: tuple[str, ...]
    weights: Float[np.ndarray, " n_hypotheses"]
    transitions: Float[np.ndarray, "n_hypotheses n_hypotheses"]

    def __post_init__(self) -> None:
        problems = list(_faults(self.names, self.weights, self.transitions))
        if problems:
            raise InferenceError(*problems)


def make_alpha_graph(
    names: Sequence[str],
    weights: Mapping[str, float],
    transitions: Mapping[str, Mapping[str, float]],
) -> AlphaGraph:
    """Draw a graph from what is written down by name.

    Parameters
    ----------
    names : sequence of str
        The hypotheses, in the order of their p-values.
    weights : mapping of str to float
        Shares of the error rate; 0 for hypotheses not named.
    transitions : mapping of str to (mapping of str to float)
        What a rejected hypothesis leaves to others; nothing where not named.

    Returns
    -------
    AlphaGraph
        Whose numbers stand in the order of ``names``.

    Raises
    ------
    InferenceError
        When a name is unknown, or `AlphaGraph` refuses the numbers; all at once.

    Examples
    --------
    >>> graph = make_alpha_graph(
    ...     ["acute", "day"], {"acute": 1.0}, {"acute": {"day": 1.0}}
    ... )
    >>> graph.transitions.tolist()
    [[0.0, 1.0], [0.0, 0.0]]
    """
    place = {name: index for index, name in enumerate(names)}
    shares = np.zeros(len(names))
    parts = np.zeros((len(names), len(names)))
    problems = []
    for name, weight in weights.items():
        if name in place:
            shares[place[name]] = weight
        else:
            problems.append(_unknown(f"weights.{name}", names))
    for source, row in transitions.items():
        if source not in place:
            problems.append(_unknown(f"transitions.{source}", names))
        for target, part in row.items():
            if target not in place:
                problems.append(_unknown(f"transitions.{source}.{target}", names))
            elif source in place:
                parts[place[source], place[target]] = part
    problems += _faults(tuple(names), shares, parts)
    if problems:
        raise InferenceError(*problems)
    # Decimals such as 0.1667 may add up beyond 1: no share of alpha comes of that.
    shares /= max(1.0, shares.sum())
    parts /= np.maximum(1.0, parts.sum(axis=1, keepdims=True))
    return AlphaGraph(names=tuple(names), weights=shares, transitions=parts)


def adjust_by_graph(
    pvalue: Float[np.ndarray, " n_hypotheses"], graph: AlphaGraph
) -> Float[np.ndarray, " n_hypotheses"]:
    r"""Adjust p-values for the family-wise error rate, shared as a graph says.

    Parameters
    ----------
    pvalue : ndarray of shape (n_hypotheses,)
        Between 0 and 1, in the order of ``graph.names``.
    graph : AlphaGraph
        Laid down before the data were seen.

    Returns
    -------
    ndarray of shape (n_hypotheses,)
        The least family-wise error rate at which each hypothesis is rejected; 1 where no share
        of it ever arrives.

    Raises
    ------
    InferenceError
        When a p-value is no probability, or not every hypothesis has one.

    Notes
    -----
    The hypothesis j with the least :math:`p_j / w_j` goes first, with that ratio, or the largest
    one before it, as its adjusted p-value. It then leaves the graph [1]_:

    .. math::
        w_l &\leftarrow w_l + w_j g_{jl} \\
        g_{lk} &\leftarrow \frac{g_{lk} + g_{lj} g_{jk}}{1 - g_{lj} g_{jl}}, \quad k \ne l,

    and 0 where :math:`g_{lj} g_{jl} = 1`. This is closed testing with weighted Bonferroni tests,
    valid under any dependence.

    References
    ----------
    .. [1] Bretz et al. (2009), A graphical approach to sequentially rejective multiple test
       procedures, doi:10.1002/sim.3495, algorithms 1 and 2.

    Examples
    --------
    >>> graph = make_alpha_graph(
    ...     ["acute", "day"], {"acute": 1.0}, {"acute": {"day": 1.0}}
    ... )
    >>> adjust_by_graph(np.array([0.03, 0.01]), graph).tolist()
    [0.03, 0.03]
    """
    check_pvalues(pvalue)
    if pvalue.size != len(graph.names):
        raise InferenceError(
            Problem(
                what="every hypothesis of a graph needs one p-value",
                found=f"{pvalue.size} for {len(graph.names)} hypotheses",
            )
        )
    adjusted = np.ones(pvalue.size)
    weights, transitions = graph.weights, graph.transitions
    left = np.ones(pvalue.size, bool)
    least = 0.0
    while (left & (weights > 0)).any():
        ratio = np.full(pvalue.size, np.inf)
        np.divide(pvalue, weights, out=ratio, where=left & (weights > 0))
        first = int(ratio.argmin())
        least = max(least, min(float(ratio[first]), 1.0))
        adjusted[first] = least
        left[first] = False
        weights, transitions = _leave(weights, transitions, first)
    return adjusted


def _leave(
    weights: Float[np.ndarray, " n"], transitions: Float[np.ndarray, "n n"], leaver: int
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n n"]]:
    """Take one hypothesis out of a graph; what it held goes where it said."""
    inherited, given = transitions[leaver], transitions[:, leaver]
    shared = weights + weights[leaver] * inherited
    kept = 1 - given * inherited
    parts = np.zeros_like(transitions)
    going_on = kept > ROUNDING
    parts[going_on] = (transitions + np.outer(given, inherited))[going_on] / kept[going_on, None]
    np.fill_diagonal(parts, 0.0)
    shared[leaver] = parts[leaver] = parts[:, leaver] = 0.0
    return shared, parts


def _faults(
    names: tuple[str, ...],
    weights: Float[np.ndarray, " n"],
    transitions: Float[np.ndarray, "n n"],
) -> Iterator[Problem]:
    if len(set(names)) < len(names):
        repeated = sorted({name for name in names if names.count(name) > 1})
        yield Problem(
            what="hypotheses of a graph need names of their own",
            field="names",
            found=f"{', '.join(repeated)} more than once",
        )
    if weights.size != len(names):
        yield Problem(
            what="every hypothesis needs one weight and one row of transitions",
            found=f"{weights.size} for {len(names)} names",
        )
        return
    yield from _share_faults("weights", names, weights)
    for name, row in zip(names, transitions, strict=True):
        yield from _share_faults(f"transitions.{name}", names, row)
    for name in np.array(names, dtype=object)[np.diagonal(transitions) != 0]:
        yield Problem(
            what="a hypothesis cannot leave its share to itself",
            field=f"transitions.{name}.{name}",
            expected="no such entry, or 0",
        )


def _share_faults(
    field: str, names: tuple[str, ...], shares: Float[np.ndarray, " n"]
) -> Iterator[Problem]:
    bad = ~((shares >= 0) & (shares <= 1 + DECIMALS))
    for name, share in zip(np.array(names, dtype=object)[bad], shares[bad], strict=True):
        yield Problem(
            what="a share of the error rate lies between 0 and 1",
            field=f"{field}.{name}",
            found=str(share),
        )
    total = float(shares.sum())
    if not bad.any() and total > 1 + DECIMALS:
        yield Problem(
            what="shares of the error rate add up to at most 1", field=field, found=f"{total:g}"
        )


def _unknown(field: str, names: Sequence[str]) -> Problem:
    return Problem(
        what="no hypothesis has this name", field=field, expected=f"one of {', '.join(names)}"
    )
