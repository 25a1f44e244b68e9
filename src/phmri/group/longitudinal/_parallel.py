"""Parallel trials: all sessions of all arms in one model."""

from dataclasses import dataclass
from itertools import compress

import numpy as np
from jaxtyping import Float, Int

from phmri.exceptions import Problem
from phmri.group._columns import is_constant
from phmri.group._parallel import BASELINE_UNUSED, join_words, same_baseline_words
from phmri.group.longitudinal._assemble import (
    Columns,
    adjust_rows,
    assemble,
    make_contrasts,
    pick,
)
from phmri.group.longitudinal._contrasts import Cell, ask_contrasts, compared
from phmri.group.longitudinal._records import BaselineAs, LongDesign, LongSettings, LongTable
from phmri.group.longitudinal._sessions import (
    baseline_role,
    choose_rows,
    refuse_cells,
    refuse_sessions,
    session_labels,
    used_sessions,
)

__all__ = ["make_parallel_model"]

FEW = 10
"""Participants beyond the columns, per session, below which unstructured errors are too small."""
COVARIANCE = {
    "mixed": "a random intercept per participant [doi:10.2307/2529876]",
    "mmrm": "an unstructured covariance of a participant's sessions",
    "clda": "an unstructured covariance of a participant's sessions",
}
SLOPE = "baseline:"
LEAST_SQUARES = "no model of how a participant's sessions go together (least squares)"
BASELINE: dict[BaselineAs | None, str] = {
    "common": "The baseline was an outcome with one mean of all arms, which were dealt after it "
    "[doi:10.1111/j.1541-0420.2009.01332.x].",
    "outcome": "The baseline was an outcome as well, and the arms were compared in their change "
    "from it.",
    "covariate": "Each participant's own baseline was a covariate with a slope per session.",
    None: "No baseline was used.",
}
VOXELWISE = (
    "Each participant's own baseline was a covariate with a slope per session, fitted anew in "
    "every outcome."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cells:
    """Columns of arms and sessions, and the mean of each cell in them."""

    X: Float[np.ndarray, "n_rows n_columns"]
    names: tuple[str, ...]
    means: dict[Cell, Float[np.ndarray, " n_columns"]]


def make_parallel_model(
    settings: LongSettings,
    table: LongTable,
    baseline: Float[np.ndarray, " n_rows"] | None,
) -> LongDesign:
    """Compare arms at one session in a model of all sessions.

    Parameters
    ----------
    settings : LongSettings
        What is asked.
    table : LongTable
        Of a parallel trial.
    baseline : ndarray of shape (n_rows,) or None
        The participant's own baseline in each of their rows; NaN where there is none.

    Returns
    -------
    LongDesign
        Contrasts are differences between arms at ``settings.session``, adjusted for or changed
        from the baseline, unless that is the same in everyone.
    """
    refuse_sessions(settings, table, baseline)
    voxelwise = settings.model == "mmrm" and baseline is None
    if voxelwise:
        baseline = _any_baseline(settings, table)
    told = _same_baseline(table, baseline)
    role = None if told else baseline_role(settings, table, baseline)
    if settings.model == "clda" and baseline is not None and _of_arms(table, baseline):
        role = "covariate"  # as an outcome it would have no variance within arms
    rows, notes = choose_rows(settings, table, role, baseline)
    if told:
        # Neither a covariate nor an outcome: without a variance it has no covariance.
        labels = np.array(session_labels(table))
        rows = rows[labels[rows] != settings.baseline]
    notes += told
    unused = settings.least_squares and role == "common"
    if unused:
        notes += (BASELINE_UNUSED,)
    refuse_cells(settings, table, rows, role)
    at = np.array(pick(session_labels(table), rows))
    sessions = used_sessions(table, rows)
    cells = _make_cells(settings, table, rows, role)
    adjustment = adjust_rows(table, rows)
    beside = Columns(X=adjustment.columns, names=adjustment.names)
    if role == "covariate" and baseline is not None:
        beside = _add_baseline(beside, baseline[rows], at, sessions)
    X = np.column_stack([cells.X, beside.X])
    asked = ask_contrasts(settings)
    contrasts = make_contrasts(
        asked,
        {key: np.pad(mean, (0, X.shape[1] - len(mean))) for key, mean in cells.means.items()},
    )
    columns, contrasts = assemble(
        Columns(X=X, names=(*cells.names, *beside.names)),
        contrasts,
        own=next(iter(asked)),
        confounded=lambda blamed: Problem(
            what="the effect cannot be told apart from the columns it is adjusted for",
            found=", ".join(name for name in beside.names if name in blamed),
            expected="covariates and strata that vary within a group",
        ),
        # One mean of all arms at baseline would tell an arm from a covariate that equals it.
        telling=at != settings.baseline if role == "common" else None,
    )
    subjects = np.unique(np.array(pick(table.subjects, rows)), return_inverse=True)[1].ravel()
    visits = np.array([sessions.index(s) for s in at.tolist()], dtype=np.int64)
    notes += _absent(table, rows)
    notes += tuple(
        f"{name} does not vary or follows from the other columns, and was left out of the model."
        for name in beside.names
        if name not in columns.names
    )
    if role == "covariate" and not any(name.startswith(SLOPE) for name in columns.names):
        role = None
    if settings.model != "mixed" and not settings.least_squares:
        notes += _few(int(subjects.max()) + 1, columns.X.shape[1], len(sessions))
    shared = [not (voxelwise and name.startswith(SLOPE)) for name in columns.names]
    return LongDesign(
        rows=rows,
        X=columns.X[:, shared],
        columns=tuple(compress(columns.names, shared)),
        subjects=subjects.astype(np.int64),
        visits=visits,
        contrasts=contrasts.matrix[:, shared],
        names=contrasts.names,
        structure="random_intercept" if settings.model == "mixed" else "unstructured",
        sentences=_sentences(
            settings,
            table,
            rows,
            VOXELWISE if voxelwise else BASELINE_UNUSED if unused else BASELINE[role],
            adjustment.names,
        ),
        notes=(*adjustment.notes, *notes),
        not_estimable=contrasts.refused,
        voxelwise_baseline=voxelwise,
    )


def _any_baseline(settings: LongSettings, table: LongTable) -> Float[np.ndarray, " n_rows"]:
    """Draw numbers that no other column holds for those who have a baseline image."""
    having = {
        subject
        for subject, session, here in zip(
            table.subjects, session_labels(table), table.present, strict=True
        )
        if here and session == settings.baseline
    }
    people = {subject: k for k, subject in enumerate(dict.fromkeys(table.subjects))}
    drawn = np.random.default_rng(0).standard_normal(len(people))
    return np.array([drawn[people[s]] if s in having else np.nan for s in table.subjects])


def _same_baseline(
    table: LongTable, baseline: Float[np.ndarray, " n_rows"] | None
) -> tuple[str, ...]:
    """Say that a baseline is left out, where all who have one have the same."""
    if baseline is None:
        return ()
    held = np.isfinite(baseline) & table.present
    several = len(set(np.array(table.subjects)[held].tolist())) > 1
    if not several or not is_constant(baseline[held]):
        return ()
    return (same_baseline_words(float(baseline[held][0])),)


def _of_arms(table: LongTable, baseline: Float[np.ndarray, " n_rows"]) -> bool:
    """Tell whether all of an arm have the same baseline, in every arm, but not in all together."""
    held = np.isfinite(baseline) & table.present
    arm_of, values = np.array(table.groups)[held], baseline[held]
    return not is_constant(values) and all(
        is_constant(values[arm_of == arm]) for arm in set(arm_of.tolist())
    )


def _absent(table: LongTable, rows: Int[np.ndarray, " n_used"]) -> tuple[str, ...]:
    """Say which arms have no mean of their own in a session that others have data in."""
    arm_of, at = pick(table.groups, rows), pick(session_labels(table), rows)
    held = set(zip(arm_of, at, strict=True))
    lacking = {
        arm: [f"ses-{s}" for s in used_sessions(table, rows) if (arm, s) not in held]
        for arm in sorted(set(arm_of))
    }
    return tuple(
        f"No one of {arm} has data in {join_words(sessions)}: what the model says of {arm} rests "
        "on its other sessions."
        for arm, sessions in lacking.items()
        if sessions
    )


def _add_baseline(
    beside: Columns,
    baseline: Float[np.ndarray, " n_used"],
    at: np.ndarray,
    sessions: tuple[str, ...],
) -> Columns:
    """Give the baseline a slope per session."""
    centred = baseline - baseline.mean()
    slopes = [np.where(at == session, centred, 0.0) for session in sessions]
    return Columns(
        X=np.column_stack([beside.X, *slopes]),
        names=(*beside.names, *(f"{SLOPE}{session}" for session in sessions)),
    )


def _make_cells(
    settings: LongSettings,
    table: LongTable,
    rows: Int[np.ndarray, " n_used"],
    role: BaselineAs | None,
) -> _Cells:
    at = np.array(pick(session_labels(table), rows))
    arm_of = np.array(pick(table.groups, rows))
    arms = (*compared(settings), *sorted(set(arm_of.tolist()) - set(compared(settings))))
    keys: list[tuple[str | None, str]] = []
    for session in used_sessions(table, rows):
        if role == "common" and session == settings.baseline:
            keys.append((None, session))
        else:
            keys.extend(
                (arm, session) for arm in arms if ((arm_of == arm) & (at == session)).any()
            )
    X = np.column_stack(
        [(at == session) & ((arm is None) | (arm_of == arm)) for arm, session in keys]
    ).astype(np.float64)
    eye = np.eye(len(keys))
    means: dict[Cell, Float[np.ndarray, " n_columns"]] = {
        (arm, session): eye[k] for k, (arm, session) in enumerate(keys) if arm is not None
    }
    if role == "outcome" and settings.baseline is not None:
        before = {
            arm: mean for (arm, session), mean in means.items() if session == settings.baseline
        }
        means = {
            (arm, session): mean - before[arm]
            for (arm, session), mean in means.items()
            if arm in before
        }
    return _Cells(
        X=X,
        names=tuple(f"session:{s}" if arm is None else f"arm:{arm}:{s}" for arm, s in keys),
        means=means,
    )


def _few(n_participants: int, n_columns: int, n_sessions: int) -> tuple[str, ...]:
    if n_participants - n_columns >= FEW * n_sessions:
        return ()
    return (
        (
            f"{n_participants} participants are few for an unstructured covariance of "
            f"{n_sessions} sessions: its errors come out too small, least so with Kenward and "
            "Roger's correction."
        ),
    )


def _covariance(settings: LongSettings) -> str:
    return LEAST_SQUARES if settings.least_squares else COVARIANCE[settings.model]


def _sentences(
    settings: LongSettings,
    table: LongTable,
    rows: Int[np.ndarray, " n_used"],
    baseline: str,
    adjusted: tuple[str, ...],
) -> tuple[str, ...]:
    sessions = used_sessions(table, rows)
    arms = list(dict.fromkeys(pick(table.groups, rows)))
    model = (
        f"The outcomes of {join_words(sessions)} were modelled together, with a mean per arm "
        f"({', '.join(sorted(arms))}) and session and {_covariance(settings)}."
    )
    planned = len({*pick(table.subjects, rows)}) * len(sessions)
    lost = planned - len(rows)
    depends = "arm, session and covariates" if settings.least_squares else "observed outcomes"
    return (
        model,
        baseline,
        *((f"The model was adjusted for {', '.join(adjusted)}.",) if adjusted else ()),
        *(
            (
                (
                    f"{lost} of {planned} outcomes were missing; participants kept those they "
                    f"had, which is unbiased if what is missing depends on {depends} only."
                ),
            )
            if lost
            else ()
        ),
    )
