"""Correlations within persons with what sessions change in everyone, and without it."""

from dataclasses import replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from phmri.exceptions import DesignError
from phmri.pipeline._association_inference import correlate_part
from phmri.pipeline._association_parts import AssociationPart
from phmri.pipeline._association_rows import AssociationRows, visit_columns
from phmri.protocol import Association, Crossover, Parallel, Protocol
from phmri.report import ReadingContent

__all__ = ["means_words", "other_words", "read_both", "rests_words", "visit_means"]


def read_both(
    item: Association,
    rows: AssociationRows,
    part: AssociationPart,
    column: Float[np.ndarray, "n_part 1"],
    confidence: float,
) -> tuple[ReadingContent, ...]:
    """Correlate one outcome with the score, session means left in and taken out.

    Parameters
    ----------
    item : Association
    rows : AssociationRows
        All rows, of which ``part`` is made.
    part : AssociationPart
        As asked: where the item asks for it, session means are the last of its nuisance.
    column : ndarray of shape (n_part, 1)
        Of the outcome.
    confidence : float
        Of the intervals.

    Returns
    -------
    tuple of ReadingContent
        Left in, then taken out; empty for other parts than that within persons.
    """
    if part.name != "within":
        return ()
    visits = visit_columns(rows)
    others = np.zeros((len(visits), 0)) if part.nuisance is None else part.nuisance
    if item.session_means:
        others = others[:, : others.shape[1] - visits.shape[1]]
    return tuple(
        _read(
            replace(part, nuisance=nuisance if nuisance.shape[1] else None),
            column,
            item.method,
            confidence,
            name=f"{visit_means(item)} {how}".capitalize(),
            asked=asked,
        )
        for how, nuisance, asked in (
            ("left in", others, not item.session_means),
            ("taken out", np.column_stack([others, visits]), item.session_means),
        )
    )


def _read(
    part: AssociationPart,
    column: Float[np.ndarray, "n_part 1"],
    method: Literal["pearson", "spearman"],
    confidence: float,
    *,
    name: str,
    asked: bool,
) -> ReadingContent:
    try:
        found = correlate_part(part, column, method, confidence)
    except DesignError:  # nothing of the score is left beside the means
        return ReadingContent(name=name, r=None, ci_low=None, ci_high=None, asked=asked)
    if not np.isfinite(found.r[0]):
        return ReadingContent(name=name, r=None, ci_low=None, ci_high=None, asked=asked)
    return ReadingContent(
        name=name,
        r=float(found.r[0]),
        ci_low=float(found.low[0]),
        ci_high=float(found.high[0]),
        asked=asked,
    )


def means_words(protocol: Protocol, item: Association) -> str:
    """Say what the two correlations within persons differ in.

    Parameters
    ----------
    protocol : Protocol
    item : Association
        Of several sessions or treatments.

    Returns
    -------
    str
        A sentence.
    """
    design, means = protocol.design, visit_means(item)
    them = "those of each arm" if isinstance(design, Parallel) else "those of each sequence"
    if isinstance(design, Crossover) and design.order == "unknown":
        them = "them"
    return (
        f"A {means.removesuffix(' means')} that changes everyone alike, as a drug does, makes a "
        f"correlation within persons by itself: r with {means} left in holds that shared change, "
        f"and r with {them} taken out says only whether who changed more than the others in the "
        "outcome did so in the score."
    )


def rests_words(item: Association) -> str:
    """Say on which of the two correlations the verdict rests.

    Parameters
    ----------
    item : Association
        Of several sessions or treatments.

    Returns
    -------
    str
        A sentence.
    """
    how = "taken out" if item.session_means else "left in"
    return f"The verdict rests on r with {visit_means(item)} {how}, as the protocol asks."


def other_words(item: Association, readings: tuple[ReadingContent, ...], confidence: float) -> str:
    """Give the correlation that was not asked for, in a sentence.

    Parameters
    ----------
    item : Association
    readings : tuple of ReadingContent
        From `read_both`.
    confidence : float
        Of the intervals.

    Returns
    -------
    str
        Empty where there are none.
    """
    for reading in readings:
        if reading.asked:
            continue
        if reading.r is None or reading.ci_low is None or reading.ci_high is None:
            return f"{reading.name}: nothing is left to go together."
        label = "r" if item.method == "pearson" else "Spearman's rho"
        numbers = (
            f"{label} {reading.r:+.2f}, {100 * confidence:g} % CI {reading.ci_low:.2f} to "
            f"{reading.ci_high:.2f}"
        ).replace("-", "−")
        return f"{reading.name}: {numbers}."
    return ""


def visit_means(item: Association) -> str:
    """Call the means that can be left in or taken out.

    Parameters
    ----------
    item : Association
        Of several sessions or treatments.

    Returns
    -------
    str
    """
    return "session means" if item.sessions else "treatment means"
