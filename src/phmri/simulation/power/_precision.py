"""Standard error and degrees of freedom that a design gives a contrast of two treatments."""

from dataclasses import dataclass

import numpy as np

from phmri.exceptions import Problem, SimulationError

__all__ = [
    "Precision",
    "crossover_precision",
    "paired_precision",
    "parallel_precision",
]

FEWEST = 2
"""Degrees of freedom up to which a chi-square variable's reciprocal has no mean."""


def _refuse_nobody(n: int | float) -> None:
    if not n > 0:
        raise SimulationError(
            Problem(what="nobody has the scans that are needed", field="n", found=f"{n:g}")
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Precision:
    """What a design promises for one contrast.

    Parameters
    ----------
    se : float
        Standard error, in the measure's unit; above 0.
    df : float
        Degrees of freedom of its estimate; 1 or more.

    Raises
    ------
    SimulationError
        When one of them is out of range.
    """

    se: float
    df: float

    def __post_init__(self) -> None:
        problems = []
        if not 0 < self.se < np.inf:
            problems.append(
                Problem(what="a standard error is above 0", field="se", found=str(self.se))
            )
        if not 1 <= self.df < np.inf:
            problems.append(
                Problem(
                    what="too few participants to estimate a variance",
                    field="df",
                    found=f"{self.df:g} degrees of freedom",
                    expected="1 or more",
                )
            )
        if problems:
            raise SimulationError(*problems)


def parallel_precision(
    n_per_arm: int | float,
    sd: float,
    *,
    n_arms: int = 2,
    baseline_correlation: float | None = None,
    n_covariates: int = 0,
    chance_baseline: bool = False,
) -> Precision:
    r"""Give the precision of two arms' difference.

    Parameters
    ----------
    n_per_arm : int or float
        Participants in each arm; a fraction is taken as it is.
    sd : float
        Standard deviation between participants of an arm at one session, in the measure's unit.
    n_arms : int, default 2
        Arms of the model, all of which share the variance.
    baseline_correlation : float, optional
        Correlation of outcome and baseline within arms, for ANCOVA. Without it outcomes are
        compared as they are.
    n_covariates : int, default 0
        Further columns of the model, taken to explain nothing.
    chance_baseline : bool, default False
        Widen the standard error by what chance differences of baselines cost on average.

    Returns
    -------
    Precision
        Of the contrast of two arms.

    Raises
    ------
    SimulationError
        When nobody is left, the correlation is not between -1 and 1, or `Precision` refuses the
        result.

    Notes
    -----
    :math:`\mathrm{SE} = \sigma\sqrt{1 - \rho^2}\sqrt{2/n}`; arms' participants less arms, less
    one for the baseline and less the covariates are the degrees of freedom [1]_. Arms differ in
    their baselines by chance, which multiplies the variance by :math:`1 + \chi^2_1/\chi^2_m`, on
    average by :math:`1 + 1/(m - 2)`, with m participants less arms: left out unless asked for.

    References
    ----------
    .. [1] Borm, Fransen and Lemmens (2007), doi:10.1016/j.jclinepi.2007.02.006.

    Examples
    --------
    >>> parallel_precision(25, 1.0, n_arms=3, baseline_correlation=0.5).df
    71.0
    """
    _refuse_nobody(n_per_arm)
    baseline = baseline_correlation is not None
    correlation = baseline_correlation if baseline_correlation is not None else 0.0
    if not -1 < correlation < 1:
        raise SimulationError(
            Problem(
                what="a correlation lies between -1 and 1",
                field="baseline_correlation",
                found=str(correlation),
            )
        )
    within = n_arms * (n_per_arm - 1)
    widened = chance_baseline and baseline and within > FEWEST
    factor = 1 + 1 / (within - FEWEST) if widened else 1.0
    return Precision(
        se=float(sd * np.sqrt((1 - correlation**2) * factor * 2 / n_per_arm)),
        df=float(within - baseline - n_covariates),
    )


def crossover_precision(
    n_participants: int | float, sd_within: float, *, n_treatments: int = 2
) -> Precision:
    r"""Give the precision of two treatments' difference in a balanced crossover.

    Parameters
    ----------
    n_participants : int or float
        All of them, spread evenly over the sequences.
    sd_within : float
        Standard deviation within a person, from session to session, in the measure's unit:
        :math:`\sigma\sqrt{1 - \rho}` where sessions correlate by :math:`\rho`.
    n_treatments : int, default 2
        As many as periods: 2 for AB/BA, more for a Williams design.

    Returns
    -------
    Precision
        Of the contrast of two treatments.

    Notes
    -----
    Participant, period and treatment fixed: :math:`\mathrm{SE} = \sigma_w\sqrt{2/N}` with
    :math:`(t - 1)(N - 2)` degrees of freedom. No carry-over.

    Examples
    --------
    >>> crossover_precision(24, 0.6, n_treatments=3).df
    44.0
    """
    _refuse_nobody(n_participants)
    return Precision(
        se=float(sd_within * np.sqrt(2 / n_participants)),
        df=float((n_treatments - 1) * (n_participants - 2)),
    )


def paired_precision(n_participants: int | float, sd_difference: float) -> Precision:
    r"""Give the precision of a mean difference within people.

    Parameters
    ----------
    n_participants : int or float
        Each with both values.
    sd_difference : float
        Standard deviation of the differences between people, in the measure's unit.

    Returns
    -------
    Precision
        With :math:`\mathrm{SE} = \sigma_d/\sqrt{n}` and n - 1 degrees of freedom.

    Examples
    --------
    >>> paired_precision(16, 1.0).se
    0.25
    """
    _refuse_nobody(n_participants)
    return Precision(
        se=float(sd_difference / np.sqrt(n_participants)), df=float(n_participants - 1)
    )
