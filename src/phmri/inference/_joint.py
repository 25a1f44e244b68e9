"""One error rate over several questions: the maximum over all their outcomes."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from phmri.exceptions import InferenceError, Problem
from phmri.inference._pvalues import Alternative, orient, pvalue_of_maximum, threshold_of
from phmri.inference._records import CorrectedTest

__all__ = ["correct_jointly"]


def correct_jointly(
    tests: Mapping[str, CorrectedTest],
    shufflings_keys: Mapping[str, str],
    *,
    alternative: Alternative,
    alpha: float,
) -> dict[str, CorrectedTest]:
    r"""Correct several questions together, over contrasts, sessions, seeds or measures.

    Parameters
    ----------
    tests : mapping of str to CorrectedTest
        Per question, of one method, as `permute` gives them.
    shufflings_keys : mapping of str to str
        Per question, ``shufflings_key`` of the result the test came from.
    alternative : {"two-sided", "greater", "less"}
        Side of the null hypothesis that counted as evidence, the same for all.
    alpha : float
        Error rate of all questions together.

    Returns
    -------
    dict of str to CorrectedTest
        With p-values that compare with the largest value over all questions.

    Raises
    ------
    InferenceError
        When methods or numbers of shufflings differ, or shuffling k did not move the same
        participants in all questions.

    Notes
    -----
    :math:`p_v = \#\{\pi: \max_q \max_w T_{qw}^\pi \ge T_v\}/N` needs the joint distribution of
    the questions: their k-th shufflings must be the same one [1]_. Statistics are compared as
    they are, so that questions should have the same degrees of freedom.

    References
    ----------
    .. [1] Winkler et al. (2016), Non-parametric combination and related permutation tests for
       neuroimaging, doi:10.1002/hbm.23115.
    """
    problems = _unlike(tests, shufflings_keys)
    if problems:
        raise InferenceError(*problems)
    null = np.max([test.null_maximum for test in tests.values()], axis=0)
    pvalue_of = partial(pvalue_of_maximum, null_maximum=null)
    threshold = threshold_of(pvalue_of, null, alpha)
    sentence = (
        f"p-values cover {', '.join(tests)} together: each value was compared with the maximum "
        "over all their outcomes in every shuffling [doi:10.1002/hbm.23115]."
    )
    return {
        name: CorrectedTest(
            method=test.method,
            value=test.value,
            pvalue=pvalue_of(orient(test.value, alternative)),
            threshold=threshold,
            null_maximum=null,
            sentences=(*test.sentences, sentence),
        )
        for name, test in tests.items()
    }


def _unlike(
    tests: Mapping[str, CorrectedTest], shufflings_keys: Mapping[str, str]
) -> list[Problem]:
    """List in what the tests differ that a common maximum needs to be the same."""
    methods = {test.method for test in tests.values()}
    problems = []
    if len(methods) != 1:
        problems.append(
            Problem(
                what="questions corrected together need the same method",
                field="method",
                found=", ".join(sorted(methods)) or "no question",
            )
        )
    reference = next(iter(shufflings_keys.values()), "")
    others = [name for name, key in shufflings_keys.items() if key != reference]
    if others:
        problems.append(
            Problem(
                what="questions corrected together need the same participants, shuffled in the "
                "same way",
                found=f"{', '.join(others)} unlike {next(iter(shufflings_keys))}",
            )
        )
    lengths = {test.null_maximum.size for test in tests.values()}
    if len(lengths) > 1:
        problems.append(
            Problem(
                what="questions corrected together need the same number of shufflings",
                field="stop_after",
                found=", ".join(map(str, sorted(lengths))),
                expected="no early stopping",
            )
        )
    return problems
