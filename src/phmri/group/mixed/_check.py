"""Find rows, contrasts and settings that no mixed model can take."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from phmri.exceptions import Problem

__all__ = ["find_baseline_problems", "find_problems", "find_visit_problems"]


def find_problems(
    Y: Float[np.ndarray, "..."],
    X: Float[np.ndarray, "..."],
    subjects: np.ndarray,
    contrasts: Float[np.ndarray, "..."],
    names: tuple[str, ...],
) -> list[Problem]:
    """Say what is wrong with the input of a mixed model.

    Parameters
    ----------
    Y : ndarray of shape (n_rows, n_outcomes)
        NaN where a row is missing.
    X : ndarray of shape (n_rows, n_coefficients)
        Model.
    subjects : ndarray of int of shape (n_rows,)
        Whose row it is.
    contrasts : ndarray of shape (n_contrasts, n_coefficients)
        Rows are contrasts.
    names : tuple of str
        Of the contrasts.

    Returns
    -------
    list of Problem
        Of shapes, or, where these fit, of values.
    """
    problems = list(_wrong_shapes(Y, X, subjects, contrasts, names))
    return problems or list(_wrong_values(Y, X, contrasts))


def find_visit_problems(subjects: np.ndarray, visits: np.ndarray) -> list[Problem]:
    """Say what is wrong with the visits of the rows.

    Parameters
    ----------
    subjects, visits : ndarray of int of shape (n_rows,)
        Whose row it is, of which visit.

    Returns
    -------
    list of Problem
        A negative visit, or one that a participant has twice.
    """
    if visits.shape != subjects.shape or not np.issubdtype(visits.dtype, np.integer):
        return [
            Problem(
                what="visits are not one whole number per row",
                field="visits",
                found=f"{visits.dtype} of shape {visits.shape}",
                expected=f"integers of shape {subjects.shape}",
            )
        ]
    problems = []
    pairs, count = np.unique(np.stack([subjects, visits]), axis=1, return_counts=True)
    twice = pairs[:, count > 1]
    if twice.size:
        problems.append(
            Problem(
                what="a participant has the same visit twice",
                field="visits",
                found=f"participant {twice[0, 0]}, visit {twice[1, 0]}",
                expected="one row per participant and visit",
            )
        )
    if visits.size and visits.min() < 0:
        problems.append(
            Problem(what="visits are counted from 0", field="visits", found=str(int(visits.min())))
        )
    return problems


def find_baseline_problems(
    Y: Float[np.ndarray, "..."], baseline: Float[np.ndarray, "..."] | None
) -> list[Problem]:
    """Say what is wrong with the numbers beside the outcomes.

    Parameters
    ----------
    Y : ndarray of shape (n_rows, n_outcomes)
        NaN where a row is missing.
    baseline : ndarray of shape (n_rows, n_outcomes) or None
        As `phmri.group.mixed.fit_unstructured` takes it.

    Returns
    -------
    list of Problem
        Another shape, or no number beside an outcome.
    """
    if baseline is None:
        return []
    if baseline.shape != Y.shape:
        return [
            Problem(
                what="baselines of other rows or outcomes than these",
                field="baseline",
                found=str(baseline.shape),
                expected=str(Y.shape),
            )
        ]
    lacking = int((np.isfinite(Y) & ~np.isfinite(baseline)).sum())
    if not lacking:
        return []
    return [
        Problem(
            what="outcomes without a baseline",
            field="baseline",
            found=f"{lacking} values",
            expected="NaN in the outcome too",
        )
    ]


def _wrong_shapes(
    Y: np.ndarray,
    X: np.ndarray,
    subjects: np.ndarray,
    contrasts: np.ndarray,
    names: tuple[str, ...],
) -> Iterator[Problem]:
    if Y.ndim != 2 or X.ndim != 2 or len(X) != len(Y) or not X.size:  # noqa: PLR2004
        yield Problem(
            what="model and outcomes do not have the same rows",
            field="X",
            found=f"Y of shape {Y.shape}, X of shape {X.shape}",
            expected="(n_rows, n_outcomes) and (n_rows, n_coefficients)",
        )
    if subjects.shape != Y.shape[:1] or not np.issubdtype(subjects.dtype, np.integer):
        yield Problem(
            what="participants are not one whole number per row",
            field="subjects",
            found=f"{subjects.dtype} of shape {subjects.shape}",
            expected=f"integers of shape {Y.shape[:1]}",
        )
    if contrasts.ndim != 2 or contrasts.shape != (len(names), X.shape[-1]) or not names:  # noqa: PLR2004
        yield Problem(
            what="contrasts do not fit their names and the model",
            field="contrasts",
            found=str(contrasts.shape),
            expected=f"({len(names)}, {X.shape[-1]}), at least one",
        )


def _wrong_values(Y: np.ndarray, X: np.ndarray, contrasts: np.ndarray) -> Iterator[Problem]:
    if np.isinf(Y).any():
        yield Problem(
            what="outcomes that are infinite",
            field="Y",
            found=f"{int(np.isinf(Y).sum())} values",
            expected="finite numbers, or NaN where a row is missing",
        )
    for field, values in (("X", X), ("contrasts", contrasts)):
        if not np.isfinite(values).all():
            yield Problem(
                what="numbers that are not finite", field=field, expected="finite numbers"
            )
    if not contrasts.any(axis=1).all():
        yield Problem(what="a contrast of zeros asks nothing", field="contrasts")
