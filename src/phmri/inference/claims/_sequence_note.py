"""Period and carry-over of a crossover in one sentence."""

import numpy as np

from phmri.group import Estimate, SequenceTest, confidence_interval
from phmri.inference.claims._wording import format_interval, format_p, signed

__all__ = ["sequence_note"]

NOMINAL = 0.05


def sequence_note(terms: SequenceTest, *, unit: str, confidence: float) -> str:
    """Word period effect and carry-over, and that they decided nothing.

    Parameters
    ----------
    terms : SequenceTest
        As `phmri.group.sequence_test` gives it.
    unit : str
        Of the effect, e.g. ``Fisher z``.
    confidence : float
        Coverage of the intervals.

    Returns
    -------
    str
        For the notes of a claim. Of one outcome: estimates, intervals and parametric p-values. Of
        several: in how many of them the uncorrected p is at most 0.05.
    """
    end = "Neither decided how the treatment was tested."
    n_outcomes = terms.period.effect.size
    if n_outcomes > 1:
        period = int((terms.period_pvalue <= NOMINAL).sum())
        carried = int((terms.carry_over_pvalue <= NOMINAL).sum())
        return (
            f"Uncorrected p at most {NOMINAL:g} in {period:,} of {n_outcomes:,} outcomes for the "
            f"period effect and in {carried:,} for a difference in carry-over, where about "
            f"{NOMINAL * n_outcomes:,.0f} are expected by chance. {end}"
        )
    period_words = _term(terms.period, float(terms.period_pvalue[0]), unit, confidence)
    carried_words = _term(terms.carry_over, float(terms.carry_over_pvalue[0]), unit, confidence)
    return (
        f"Period 1 minus period 2: {period_words}. Difference in carry-over (sums over both "
        f"periods): {carried_words}. {end}"
    )


def _term(estimate: Estimate, pvalue: float, unit: str, confidence: float) -> str:
    low, high = confidence_interval(estimate, confidence)
    effect, t = float(estimate.effect[0]), float(estimate.t[0])
    interval = format_interval(effect, float(low[0]), float(high[0]), confidence)
    df = float(np.ravel(estimate.df)[0])
    return f"{unit} {interval}; t({df:g}) = {signed(t)}; p {format_p(pvalue)}"
