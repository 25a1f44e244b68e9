"""Crossover trials: all periods of all participants in one model, with cells missing or not."""

import numpy as np
from jaxtyping import Float, Int

from phmri.exceptions import DesignError, Problem
from phmri.group._columns import indicators
from phmri.group._period_baseline import ADJUSTED, LASTING, SAME_BASELINE
from phmri.group.longitudinal._assemble import (
    Columns,
    adjust_rows,
    assemble,
    make_contrasts,
    pick,
    split,
)
from phmri.group.longitudinal._contrasts import (
    Cell,
    ask_contrasts,
    compared,
    refuse_contrast,
)
from phmri.group.longitudinal._records import LongDesign, LongSettings, LongTable

__all__ = ["make_crossover_model"]

BEFORE = "the period before"
CONFOUNDED = "the two treatments cannot be told apart from participants and periods"
SENTENCES = {
    "mixed": "The outcomes of all periods were modelled by treatment and period with a random "
    "intercept per participant [doi:10.1002/0470854596, doi:10.2307/2529876], so that "
    "participants with a missing period count as far as they can.",
    "least_squares": "The outcomes of all periods were modelled by treatment and period by least "
    "squares [doi:10.1002/0470854596]; participants with a missing period count too.",
    "fixed_subject": "The outcomes of all periods were modelled by treatment, period and "
    "participant, so that treatments are compared within participants and free of the period "
    "effect [doi:10.1002/0470854596].",
}
BOTH = WITHIN, BETWEEN = "baseline within", "baseline between"
BASELINES = {
    BOTH: "Each period was adjusted for its own baseline, entered as the participant's mean over "
    "the periods and the deviation from it, since one slope for both is biased with random "
    "participants [doi:10.1093/biostatistics/kxp046].",
    (WITHIN,): ADJUSTED["periods"],
    (BETWEEN,): "Participants were adjusted for their mean baseline over the periods.",
    (): "",
}
"""Columns of the baseline that are in the model -> what they do."""
LEFT_OUT = {
    WITHIN: SAME_BASELINE,
    BETWEEN: "The mean baseline is the same in every participant, or follows from the other "
    "columns, and was left out of the model.",
}
CARRY = (
    "First-order carry-over, the effect of the treatment before, was added to the model to show "
    "what it changes; it did not decide how the treatments were compared."
)


def _sentence(settings: LongSettings) -> str:
    by_least_squares = settings.least_squares and settings.model == "mixed"
    return SENTENCES["least_squares" if by_least_squares else settings.model]


def _of_baseline(settings: LongSettings, columns: Columns) -> tuple[str, tuple[str, ...]]:
    """Say what the baseline does in the model, and what of it was left out."""
    kept = tuple(name for name in BOTH if name in columns.names)
    # Where participants have levels of their own, these hold the mean baseline.
    wanted = (WITHIN,) if settings.model == "fixed_subject" else BOTH
    notes = tuple(LEFT_OUT[name] for name in wanted if name not in kept)
    return BASELINES[kept], (*notes, *((LASTING,) if WITHIN in kept else ()))


def make_crossover_model(
    settings: LongSettings,
    table: LongTable,
    baseline: Float[np.ndarray, " n_rows"] | None,
    *,
    carryover: bool,
) -> LongDesign:
    """Compare treatments in a model of all periods.

    Parameters
    ----------
    settings : LongSettings
        What is asked.
    table : LongTable
        Of a crossover trial.
    baseline : ndarray of shape (n_rows,) or None
        Baseline of each period.
    carryover : bool
        Whether the treatment of the period before has an effect too.

    Returns
    -------
    LongDesign
        Contrasts are differences between treatments, with ``carryover`` those of the treatment
        before as well.

    Raises
    ------
    DesignError
        When treatments, participants or cells at hand cannot answer the question.
    """
    rows = np.flatnonzero(table.present)
    problems = _refuse(settings, table, rows, baseline)
    if problems:
        raise DesignError(*problems)
    reference = settings.references[0] if settings.references else settings.contrast[1]
    own, means = _own_columns(settings, table, rows, reference, carryover=carryover)
    beside, notes = _beside(settings, table, rows, baseline)
    n_beside = beside.X.shape[1]
    asked = ask_contrasts(settings)
    asked |= {
        f"carry-over {name} - {reference}": {(name, BEFORE): 1.0, (reference, BEFORE): -1.0}
        for name, when in means
        if when == BEFORE and name != reference
    }
    columns, contrasts = assemble(
        Columns(X=np.column_stack([own.X, beside.X]), names=(*own.names, *beside.names)),
        make_contrasts(asked, {cell: np.pad(mean, (0, n_beside)) for cell, mean in means.items()}),
        own=next(iter(asked)),
        confounded=lambda _: Problem(
            what=CONFOUNDED,
            field="contrast",
            found=" and ".join(settings.contrast),
            expected="both treatments within participants, in different order",
        ),
    )
    subjects = np.unique(np.array(pick(table.subjects, rows)), return_inverse=True)[1].ravel()
    lost = int((~table.present).sum())
    adjusted, of_baseline = ("", ()) if baseline is None else _of_baseline(settings, columns)
    missing = (f"{lost} of {len(table.present)} planned cells have no data.",) if lost else ()
    return LongDesign(
        rows=rows,
        X=columns.X,
        columns=columns.names,
        subjects=subjects.astype(np.int64),
        visits=np.array([int(table.sessions[row]) - 1 for row in rows], dtype=np.int64),
        contrasts=contrasts.matrix,
        names=contrasts.names,
        structure="random_intercept" if settings.model == "mixed" else "independent",
        sentences=(
            _sentence(settings),
            *filter(None, (adjusted,)),
            *((CARRY,) if carryover else ()),
            *missing,
        ),
        notes=(*notes, *of_baseline, *_assumed(settings)),
        not_estimable=contrasts.refused,
    )


def _assumed(settings: LongSettings) -> tuple[str, ...]:
    """Say what a blockade over two experiments takes for granted."""
    if settings.references is None or settings.reference_drug is None:
        return ()
    first, second = settings.contrast
    drug, reference = settings.reference_drug, settings.references[0]
    return (
        (
            f"The effect of the drug ({drug} - {reference}) and what was removed of it ({first} - "
            f"{second}) were measured in different people. What remained is the first less the "
            f"second: that {drug} and {first} do the same in both experiments is assumed, and "
            "cannot be tested here."
        ),
    )


def _own_columns(
    settings: LongSettings,
    table: LongTable,
    rows: Int[np.ndarray, " n_used"],
    reference: str,
    *,
    carryover: bool,
) -> tuple[Columns, dict[Cell, Float[np.ndarray, " n_columns"]]]:
    """Give the columns of treatments and of carry-over, and the mean of each in them."""
    given = _levels(table.treatments, rows)
    treatments = [name for name in dict.fromkeys((*compared(settings), *given)) if name in given]
    before = [name for name in _levels(table.previous_treatments, rows) if name]
    before = [name for name in before if name != reference] if carryover else []
    own = Columns(
        X=np.column_stack(
            [
                indicators(pick(table.treatments, rows), treatments),
                indicators(pick(table.previous_treatments, rows), before),
            ]
        ),
        names=(
            *(f"treatment:{name}" for name in treatments),
            *(f"carry-over:{name}" for name in before),
        ),
    )
    eye = np.eye(own.X.shape[1])
    means: dict[Cell, Float[np.ndarray, " n_columns"]] = {
        (name, None): eye[k] for k, name in enumerate(treatments)
    }
    means[reference, BEFORE] = np.zeros(len(eye))
    means |= {(name, BEFORE): eye[len(treatments) + k] for k, name in enumerate(before)}
    return own, means


def _levels(labels: tuple[str, ...], rows: Int[np.ndarray, " n_used"]) -> list[str]:
    return sorted(set(pick(labels, rows)))


def _refuse(
    settings: LongSettings,
    table: LongTable,
    rows: Int[np.ndarray, " n_used"],
    baseline: Float[np.ndarray, " n_rows"] | None,
) -> list[Problem]:
    problems = refuse_contrast(settings, "treatment")
    if settings.model not in SENTENCES:
        problems.append(
            Problem(
                what="the estimator does not belong to a crossover design",
                field="estimator",
                found=settings.model,
                expected=" or ".join(SENTENCES),
            )
        )
    problems.extend(
        Problem(
            what="a crossover is asked for treatments over all periods, not for a session",
            field=field,
            found=session,
        )
        for field, session in (
            ("session", settings.session),
            ("baseline", settings.baseline),
            ("early", settings.early),
        )
        if session is not None
    )
    held = set(zip(pick(table.treatments, rows), pick(table.subjects, rows), strict=True))
    least = max(2, settings.min_per_group)
    problems.extend(
        Problem(
            what="too few participants with data under this treatment",
            field=treatment,
            found=str(n),
            expected=f"at least {least}",
        )
        for treatment in compared(settings)
        if (n := sum(name == treatment for name, _ in held)) < least
    )
    if baseline is not None:
        bad = rows[~np.isfinite(baseline[rows])]
        problems.extend(
            Problem(
                what="baseline has no finite value",
                subject=table.subjects[row],
                field=f"period {table.sessions[row]}",
            )
            for row in bad
        )
    return problems


def _beside(
    settings: LongSettings,
    table: LongTable,
    rows: Int[np.ndarray, " n_used"],
    baseline: Float[np.ndarray, " n_rows"] | None,
) -> tuple[Columns, tuple[str, ...]]:
    """Collect periods, participants or sequences, baseline and covariates."""
    subjects, experiments = pick(table.subjects, rows), pick(table.experiments, rows)
    several = len(set(table.experiments)) > 1
    periods = [int(table.sessions[row]) for row in rows]
    of_row = [
        f"{period} of {name}" if several else f"{period}"
        for period, name in zip(periods, experiments, strict=True)
    ]
    first = {name for name, period in zip(of_row, periods, strict=True) if period == 1}
    later = sorted(set(of_row) - first)
    blocks = [indicators(of_row, later)]
    names = [f"period:{name}" for name in later]
    notes: tuple[str, ...]
    if settings.model == "fixed_subject":
        people = sorted(set(subjects))[1:]
        blocks.append(indicators(subjects, people))
        names += [f"participant:{name}" for name in people]
        notes = tuple(
            f"Covariate {name} does not vary within participants, each of whom has a level of its "
            "own in the model, and was left out."
            for name in table.covariates
        )
    else:
        adjustment = adjust_rows(table, rows)
        blocks.append(adjustment.columns)
        names += adjustment.names
        notes = adjustment.notes
        if settings.with_sequence:
            sequences = _levels(table.groups, rows)[1:]
            blocks.append(indicators(pick(table.groups, rows), sequences))
            names += [f"sequence:{name}" for name in sequences]
    if baseline is not None:
        blocks.append(np.column_stack(split(baseline[rows], subjects)))
        names += [WITHIN, BETWEEN]
    return Columns(X=np.column_stack(blocks), names=tuple(names)), notes
