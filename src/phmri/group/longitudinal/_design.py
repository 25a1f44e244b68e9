"""From participants by sessions to a linear model with its contrasts."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from phmri.exceptions import DesignError, Problem
from phmri.group.longitudinal._crossover import make_crossover_model
from phmri.group.longitudinal._parallel import make_parallel_model
from phmri.group.longitudinal._records import LongDesign, LongSettings, LongTable

__all__ = ["carryover_design", "make_long_design"]


def make_long_design(
    settings: LongSettings,
    table: LongTable,
    *,
    baseline: Float[np.ndarray, " n_rows"] | None = None,
) -> LongDesign:
    r"""Make the model of all sessions or periods and the contrasts that are asked for.

    Parameters
    ----------
    settings : LongSettings
        Model, contrast, sessions, and how the baseline is used.
    table : LongTable
        Every planned cell.
    baseline : ndarray of shape (n_rows,), optional
        Outcome before treatment, in the measure's unit: the participant's own in each of their
        rows (parallel), that of the period (crossover); NaN where there is none. Only where the
        outcome is one number: images of a map each have a baseline of their own, which ``mmrm``
        takes beside ``X`` (``voxelwise_baseline``).

    Returns
    -------
    LongDesign
        What `phmri.group.mixed` and `phmri.group.robust` take; outcomes are ``Y[design.rows]``.

    Raises
    ------
    DesignError
        When the table is of another length, or the cells at hand cannot answer the question.

    Notes
    -----
    Parallel: :math:`y_{is} = \mu_{a(i)s} + z_i^\top\gamma + \varepsilon_{is}` with a mean per arm
    and session. ``common``: :math:`\mu_{a0} = \mu_0`, which randomisation makes true [1]_.
    ``outcome``: contrasts of :math:`\mu_{as} - \mu_{a0}`. ``covariate``: sessions after baseline
    only, with :math:`\beta_s y_{i0}` beside. Crossover: :math:`y_{ip} = \tau_{t(i,p)} + \pi_p +
    \sigma_{q(i)} + u_i + \varepsilon_{ip}`; a baseline per period enters as the participant's mean
    and the deviation from it, since one slope for both is biased with random participants [2]_.

    References
    ----------
    .. [1] Lu (2010), doi:10.1111/j.1541-0420.2009.01332.x.
    .. [2] Kenward & Roger (2010), doi:10.1093/biostatistics/kxp046.
    """
    _refuse_length(table, baseline)
    if not table.present.any():
        raise DesignError("no participant can answer this question")
    if table.kind == "parallel":
        return make_parallel_model(settings, table, baseline)
    return make_crossover_model(settings, table, baseline, carryover=False)


def _refuse_length(table: LongTable, baseline: Float[np.ndarray, " n"] | None) -> None:
    if baseline is not None and baseline.shape != (len(table.subjects),):
        raise DesignError(
            Problem(
                what="column of another length than the rows of the table",
                field="baseline",
                found=str(baseline.shape),
                expected=f"({len(table.subjects)},)",
            )
        )


def carryover_design(
    settings: LongSettings,
    table: LongTable,
    *,
    baseline: Float[np.ndarray, " n_rows"] | None = None,
) -> LongDesign:
    """Add first-order carry-over to the model of a crossover, as a sensitivity to be reported.

    Parameters
    ----------
    settings : LongSettings
        Model ``fixed_subject`` or ``mixed`` (sequences then have no means: carry-over is what they
        would stand for).
    table : LongTable
        Of a crossover trial.
    baseline : ndarray of shape (n_rows,), optional
        That of each period, as `make_long_design` takes it.

    Returns
    -------
    LongDesign
        Contrasts between treatments free of carry-over, and of each carry-over against that of the
        reference; those that the design cannot tell apart stand in ``not_estimable``.

    Raises
    ------
    DesignError
        When the trial is none, the baseline is of another length, or treatments cannot be told
        apart from carry-over.

    Notes
    -----
    The effect of the treatment before is zero in the first period and depends on nothing else.
    Carry-over is shown and never gates: a preliminary test of it inflates the error rate of the
    whole procedure [1]_.

    References
    ----------
    .. [1] Senn (2002), Cross-over Trials in Clinical Research, doi:10.1002/0470854596.
    """
    if table.kind != "crossover":
        raise DesignError(
            Problem(
                what="carry-over exists only in a crossover of recorded order", found=table.kind
            )
        )
    _refuse_length(table, baseline)
    return make_crossover_model(
        replace(settings, with_sequence=False), table, baseline, carryover=True
    )
