"""What sessions, arms and baselines at hand a model of a parallel trial can be made of."""

import numpy as np
from jaxtyping import Float, Int

from phmri.exceptions import DesignError, Problem
from phmri.group.longitudinal._assemble import pick
from phmri.group.longitudinal._contrasts import compared, refuse_contrast
from phmri.group.longitudinal._records import BaselineAs, LongSettings, LongTable

__all__ = [
    "baseline_role",
    "choose_rows",
    "refuse_cells",
    "refuse_sessions",
    "session_labels",
    "used_sessions",
]

LEAST_TOGETHER = 2
FIXED: dict[str, BaselineAs] = {"mmrm": "covariate", "clda": "common"}
"""What the baseline is in models that leave no choice."""


def session_labels(table: LongTable) -> tuple[str, ...]:
    """Give the session of each row.

    Parameters
    ----------
    table : LongTable
        Of a parallel trial.

    Returns
    -------
    tuple of str
        Labels.
    """
    return tuple(map(str, table.sessions))


def used_sessions(table: LongTable, rows: Int[np.ndarray, " n_used"]) -> tuple[str, ...]:
    """Give the sessions of some rows in the order in which they were planned.

    Parameters
    ----------
    table : LongTable
        Of a parallel trial.
    rows : ndarray of int of shape (n_used,)
        Rows of the table.

    Returns
    -------
    tuple of str
        Labels, each once.
    """
    held = set(pick(session_labels(table), rows))
    return tuple(session for session in dict.fromkeys(session_labels(table)) if session in held)


def refuse_sessions(
    settings: LongSettings, table: LongTable, baseline: Float[np.ndarray, " n_rows"] | None
) -> None:
    """Refuse settings that no participant could answer.

    Parameters
    ----------
    settings : LongSettings
        What is asked.
    table : LongTable
        Of a parallel trial.
    baseline : ndarray of shape (n_rows,) or None
        Numbers, where the outcome is one.

    Raises
    ------
    DesignError
        With every reason.
    """
    labels = set(session_labels(table))
    problems = refuse_contrast(settings, "arm")
    if settings.model == "fixed_subject":
        problems.append(
            Problem(
                what="arms differ between participants, so that a level per participant leaves "
                "nothing to compare",
                field="estimator",
                found="fixed_subject",
                expected="mixed, mmrm or clda",
            )
        )
    if settings.session is None or settings.session == settings.baseline:
        problems.append(
            Problem(
                what="the outcome needs a session after the baseline",
                field="session",
                found=settings.session or "none",
            )
        )
    problems.extend(
        Problem(
            what="no participant has a row of this session",
            field=field,
            found=session,
            expected=", ".join(sorted(labels)),
        )
        for field, session in (
            ("session", settings.session),
            ("baseline", settings.baseline),
            ("early", settings.early),
        )
        if session is not None and session not in labels
    )
    needs = settings.model in {"mmrm", "clda"} or settings.baseline_as is not None
    if needs and settings.baseline is None:
        problems.append(
            Problem(
                what=f"estimator {settings.model} needs a baseline session",
                field="baseline",
                found="none",
            )
        )
    if baseline is not None and settings.baseline is None:
        problems.append(
            Problem(what="baseline numbers of no session", field="baseline", found="none")
        )
    if baseline is None and settings.model == "mixed" and settings.baseline_as == "covariate":
        problems.append(
            Problem(
                what="estimator mixed adjusts for one baseline number per participant, which the "
                "images of a map do not have",
                field="estimator",
                found="mixed",
                expected="numbers (a region, a scale), or mmrm, or clda, which takes the baseline "
                "as an outcome",
            )
        )
    if problems:
        raise DesignError(*problems)


def baseline_role(
    settings: LongSettings, table: LongTable, baseline: Float[np.ndarray, " n_rows"] | None
) -> BaselineAs | None:
    """Say what the baseline is in the model.

    Parameters
    ----------
    settings : LongSettings
        What is asked.
    table : LongTable
        Of a parallel trial.
    baseline : ndarray of shape (n_rows,) or None
        Numbers, where the outcome is one.

    Returns
    -------
    str or None
        As in `LongSettings`; None without a baseline.
    """
    if settings.baseline is None:
        return None
    fixed = FIXED.get(settings.model, settings.baseline_as)
    if fixed is not None:
        return fixed
    complete = baseline is not None and np.isfinite(baseline[table.present]).all()
    return "covariate" if complete else "common"


def choose_rows(
    settings: LongSettings,
    table: LongTable,
    role: BaselineAs | None,
    baseline: Float[np.ndarray, " n_rows"] | None,
) -> tuple[Int[np.ndarray, " n_used"], tuple[str, ...]]:
    """Take the rows with data that the model can use, and say who is left out.

    Parameters
    ----------
    settings : LongSettings
        What is asked.
    table : LongTable
        Of a parallel trial.
    role : str or None
        What the baseline is.
    baseline : ndarray of shape (n_rows,) or None
        Numbers, where the outcome is one.

    Returns
    -------
    rows : ndarray of int of shape (n_used,)
        Rows of the table.
    notes : tuple of str
        Participants without a baseline, where it is a covariate.
    """
    use = table.present.copy()
    if role != "covariate" or baseline is None:
        return np.flatnonzero(use), ()
    use &= np.array([label != settings.baseline for label in table.sessions])
    without = use & ~np.isfinite(baseline)
    left_out = sorted(set(np.array(table.subjects)[without].tolist()))
    notes = (
        (
            f"{len(left_out)} participants without a baseline were left out of the model: "
            f"{', '.join(left_out)}."
        ),
    )
    return np.flatnonzero(use & np.isfinite(baseline)), notes if left_out else ()


def refuse_cells(
    settings: LongSettings,
    table: LongTable,
    rows: Int[np.ndarray, " n_used"],
    role: BaselineAs | None,
) -> None:
    """Refuse too few participants in a cell that the question compares.

    Parameters
    ----------
    settings : LongSettings
        What is asked.
    table : LongTable
        Of a parallel trial.
    rows : ndarray of int of shape (n_used,)
        Rows that the model takes.
    role : str or None
        What the baseline is.

    Raises
    ------
    DesignError
        With every arm and session, and pairs of sessions whose covariance nobody tells.
    """
    problems = _thin_cells(settings, table, rows, role) or _unpaired(settings, table, rows)
    if problems:
        raise DesignError(*problems)


def _thin_cells(
    settings: LongSettings,
    table: LongTable,
    rows: Int[np.ndarray, " n_used"],
    role: BaselineAs | None,
) -> list[Problem]:
    least = max(2, settings.min_per_group)
    needed = [settings.session, *([settings.baseline] if role == "outcome" else [])]
    held = list(zip(pick(table.groups, rows), pick(session_labels(table), rows), strict=True))
    return [
        Problem(
            what="too few participants in this arm can answer the question",
            session=session,
            field=arm,
            found=str(held.count((arm, str(session)))),
            expected=f"at least {least}",
        )
        for arm in compared(settings)
        for session in needed
        if held.count((arm, str(session))) < least
    ]


def _unpaired(
    settings: LongSettings,
    table: LongTable,
    rows: Int[np.ndarray, " n_used"],
) -> list[Problem]:
    """Name pairs of sessions whose covariance nobody tells."""
    if settings.model == "mixed" or settings.least_squares:
        return []
    held: dict[str, set[str]] = {}
    for subject, session in zip(
        pick(table.subjects, rows), pick(session_labels(table), rows), strict=True
    ):
        held.setdefault(subject, set()).add(session)
    sessions = used_sessions(table, rows)
    pairs = [(a, b) for k, a in enumerate(sessions) for b in sessions[k + 1 :]]
    return [
        Problem(
            what="too few participants have both sessions to tell their covariance",
            field=f"{a} and {b}",
            found=str(n),
            expected=f"at least {LEAST_TOGETHER}, or estimator mixed",
        )
        for a, b in pairs
        if (n := sum({a, b} <= own for own in held.values())) < LEAST_TOGETHER
    ]
