"""Contrasts by name, as weights of arms or treatments."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from phmri.exceptions import DesignError, Problem
from phmri.group._records import UnitDesign
from phmri.group.longitudinal._records import LongSettings

__all__ = ["Cell", "ask_contrasts", "compared", "make_unit_contrasts", "refuse_contrast"]

Cell = tuple[str, str | None]
"""Arm and session, or treatment and None."""


def ask_contrasts(settings: LongSettings) -> dict[str, dict[Cell, float]]:
    """List the contrasts that are asked for, the question's own first.

    Parameters
    ----------
    settings : LongSettings
        What is asked.

    Returns
    -------
    dict of str to dict
        Name -> weight of each cell's mean. With one reference the question's own is
        ``difference``; with two the difference is an interaction and stands beside it. With an
        early session and no reference it is early minus late.
    """
    first, second = settings.contrast
    at = settings.session
    if settings.references is None:
        own = _add({}, first, second)
        asked = {f"{first} - {second}": _at(own, at)}
    else:
        drug = _add({}, settings.reference_drug or first, settings.references[0])
        pretreated = _add({}, second, settings.references[1])
        own = _less(drug, pretreated)
        if settings.reference_drug is not None:
            own = _add({}, first, second)
            pretreated = _less(drug, own)
        asked = {
            "difference": _at(own, at),
            "drug": _at(drug, at),
            "pretreated": _at(pretreated, at),
        }
        if settings.references[0] != settings.references[1]:  # the difference is an interaction
            asked = {f"{first} - {second}": _at(_add({}, first, second), at)} | asked
    if settings.early is not None:
        early, late = _at(own, settings.early), _at(own, at)
        waned = early | {cell: -weight for cell, weight in late.items()}
        asked |= {"early": early, "late": late, "difference": asked.get("difference", waned)}
    return asked


def _add(weights: dict[str, float], plus: str, minus: str) -> dict[str, float]:
    return weights | {plus: 1.0, minus: -1.0}


def _less(weights: Mapping[str, float], others: Mapping[str, float]) -> dict[str, float]:
    return {
        label: weight
        for label in (*weights, *others)
        if (weight := weights.get(label, 0.0) - others.get(label, 0.0))
    }


def _at(weights: Mapping[str, float], session: str | None) -> dict[Cell, float]:
    return {(label, session): weight for label, weight in weights.items()}


def compared(settings: LongSettings) -> tuple[str, ...]:
    """Name the arms or treatments that the question compares.

    Parameters
    ----------
    settings : LongSettings
        What is asked.

    Returns
    -------
    tuple of str
        Each once.
    """
    elsewhere = () if settings.reference_drug is None else (settings.reference_drug,)
    return tuple(dict.fromkeys((*settings.contrast, *elsewhere, *(settings.references or ()))))


def refuse_contrast(settings: LongSettings, what: str) -> list[Problem]:
    """Say when something is compared with itself.

    Parameters
    ----------
    settings : LongSettings
        What is asked.
    what : str
        ``arm`` or ``treatment``.

    Returns
    -------
    list of Problem
        Empty when all differ.
    """
    drugs = (settings.reference_drug or settings.contrast[0], settings.contrast[1])
    pairs = [settings.contrast, *zip(drugs, settings.references or (), strict=False)]
    article = "an" if what == "arm" else "a"
    return [
        Problem(
            what=f"{article} {what} cannot be compared with itself",
            field="contrast",
            found=pair[0],
        )
        for pair in pairs
        if pair[0] == pair[1]
    ]


def make_unit_contrasts(
    settings: LongSettings, design: UnitDesign
) -> tuple[Float[np.ndarray, "n_contrasts n_columns"], tuple[str, ...]]:
    """Give the contrasts of a model with one row per participant, or of several periods.

    Parameters
    ----------
    settings : LongSettings
        What is asked; ``model``, sessions and baseline are not read.
    design : UnitDesign
        With a column per arm or treatment.

    Returns
    -------
    contrasts : ndarray of shape (n_contrasts, n_columns)
        In the measure's unit.
    names : tuple of str
        What each contrast is, the question's own first.

    Raises
    ------
    DesignError
        When an arm or treatment has no column, or is compared with itself.
    """
    kind = "arm" if any(name.startswith("arm:") for name in design.columns) else "treatment"
    labels = {
        name.partition(":")[2]: k
        for k, name in enumerate(design.columns)
        if name.startswith(f"{kind}:")
    }
    problems = refuse_contrast(settings, kind)
    problems.extend(
        Problem(
            what=f"the model has no column of this {kind}",
            field="contrast",
            found=label,
            expected=", ".join(labels) or "a model with a column per treatment",
        )
        for label in compared(settings)
        if label not in labels
    )
    if problems:
        raise DesignError(*problems)
    asked = ask_contrasts(replace(settings, early=None))
    contrasts = np.zeros((len(asked), design.X.shape[1]))
    for row, weights in zip(contrasts, asked.values(), strict=True):
        for (label, _), weight in weights.items():
            row[labels[label]] = weight
    return contrasts, tuple(asked)
