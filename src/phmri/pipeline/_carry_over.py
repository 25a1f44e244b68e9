"""Carry-over of a crossover of several periods: shown beside the answer, never deciding it."""

import numpy as np
import scipy.stats

from phmri.exceptions import DesignError
from phmri.group import (
    JointEstimate,
    carryover_design,
    fit_ols,
    fit_random_intercept,
)
from phmri.inference import format_interval, format_p
from phmri.pipeline._asked import Asked, GroupInputs
from phmri.pipeline._loading import LoadedOutcomes
from phmri.pipeline._long_fit import rows_of
from phmri.pipeline._long_model import (
    LongModel,
    long_table_of,
    period_baselines,
    settings_of,
)
from phmri.protocol import Crossover

__all__ = ["carry_over_note"]

NOT_CONVERGED = 2
TWO = 2


def carry_over_note(
    inputs: GroupInputs, asked: Asked, outcomes: LoadedOutcomes, index: int, unit: str
) -> tuple[str, ...]:
    """Say what first-order carry-over in the model would change.

    Parameters
    ----------
    inputs : GroupInputs
    asked : Asked
    outcomes : LoadedOutcomes
    index : int
        Of the outcome that is looked at, the strongest.
    unit : str

    Returns
    -------
    tuple of str
        Empty for trials that have no carry-over of this kind, or cannot tell it apart.
    """
    protocol, present = inputs.protocol, asked.units.present
    if not isinstance(protocol.design, Crossover) or present is None:
        return ()
    if all(len(item.treatments) <= TWO for item in protocol.design.sequences.values()):
        return ()  # in two periods carry-over is the difference between sequences
    try:
        table = long_table_of(protocol, asked.name, asked.units.table, present)
        baseline = None
        if asked.question.period_baseline:
            before = outcomes.images["baseline-periods"][:, index].tolist()
            baseline = period_baselines(table, dict(zip(asked.units.visits, before, strict=True)))
        settings = settings_of(protocol, asked.question, number=True)
        design = carryover_design(settings, table, baseline=baseline)
    except DesignError:
        return ()
    model = LongModel(table=table, design=design)
    stack = outcomes.images["periods"][:, [index]]
    Y = rows_of(model, asked.units.visits, stack)
    if design.structure == "random_intercept":
        found = fit_random_intercept(
            Y, design.X, design.subjects, design.contrasts, design.names
        ).contrasts
    else:
        found = fit_ols(Y, design.X, design.contrasts, design.names)
    if found.status[0] >= NOT_CONVERGED:
        return ()
    said = "; ".join(
        f"{name}: {_term(found, k, unit, asked.settings.confidence)}"
        for k, name in enumerate(found.names)
    )
    where = "" if len(outcomes.names) == 1 else ", at the strongest outcome"
    return (
        (
            f"With first-order carry-over in the model{where}: {said}. It did not decide how the "
            "treatments were compared."
        ),
    )


def _term(found: JointEstimate, k: int, unit: str, confidence: float) -> str:
    effect, se = float(found.effect[k, 0]), float(np.sqrt(found.covariance[0, k, k]))
    df = float(found.df[k, 0])
    reach = float(scipy.stats.t.ppf(0.5 + confidence / 2, df)) * se
    pvalue = max(float(2 * scipy.stats.t.sf(abs(effect / se), df)), np.finfo(float).tiny)
    interval = format_interval(effect, effect - reach, effect + reach, confidence)
    return f"{unit} {interval}; p {format_p(pvalue)}"
