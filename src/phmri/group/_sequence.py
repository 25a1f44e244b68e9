"""Period and carry-over of a 2x2 crossover."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float
from scipy import stats

from phmri.exceptions import DesignError, Problem
from phmri.group._fit import fit_contrast
from phmri.group._outcome import make_outcome
from phmri.group._records import Estimate, SequenceTest, UnitDesign

__all__ = ["sequence_test"]


def sequence_test(
    design: UnitDesign, images: Mapping[str, Float[np.ndarray, "n_units n_outcomes"]]
) -> SequenceTest:
    r"""Estimate period effect and carry-over; neither may decide how the treatment is tested.

    Parameters
    ----------
    design : UnitDesign
        Of a crossover whose order is recorded.
    images : mapping of str to ndarray of shape (n_units, n_outcomes)
        ``first`` and ``second``, as for `make_outcome`; baselines are not touched.

    Returns
    -------
    SequenceTest
        Estimates with two-sided p-values.

    Raises
    ------
    DesignError
        When the design is no crossover of recorded order.

    Notes
    -----
    With :math:`d_i = y_{i1} - y_{i2}` and :math:`s_i = y_{i1} + y_{i2}` in sequences AB and BA:
    :math:`\hat\pi = (\bar d_{AB} + \bar d_{BA})/2` and :math:`\hat\lambda = \bar s_{AB} -
    \bar s_{BA}`. Choosing the analysis by the test of :math:`\lambda` inflates the error rate
    of the whole procedure, so it is reported only. Neither is adjusted for baselines of periods:
    that of the second may carry what is looked for.
    """
    if design.estimator != "crossover":
        raise DesignError(
            Problem(
                what="period and carry-over exist only in a crossover of recorded order",
                found=design.estimator,
                expected="crossover",
            )
        )
    alone = " without the baselines" if design.voxelwise_baseline else ""
    design = replace(design, voxelwise_baseline=False)
    Y = make_outcome(design, images)
    both = np.abs(design.contrast)
    period = fit_contrast(replace(design, contrast=both), Y)
    sums = images["first"].astype(np.float64) + images["second"]
    carry_over = fit_contrast(replace(design, estimator="post"), sums)
    return SequenceTest(
        period=period,
        period_pvalue=_two_sided(period),
        carry_over=carry_over,
        carry_over_pvalue=_two_sided(carry_over),
        sentences=(
            (
                f"Period effect and carry-over were estimated{alone} beside the treatment effect "
                "and did not decide how it was tested: a preliminary test of carry-over inflates "
                "the error rate [doi:10.1002/0470854596]."
            ),
        ),
    )


def _two_sided(estimate: Estimate) -> Float[np.ndarray, " n_outcomes"]:
    tail = np.asarray(2 * stats.t.sf(np.abs(estimate.t), estimate.df), dtype=np.float64)
    return np.maximum(tail, np.finfo(np.float64).tiny)
