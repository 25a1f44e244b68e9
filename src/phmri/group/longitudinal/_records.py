"""Participants by sessions or periods, and the model made of them."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = ["BaselineAs", "LongDesign", "LongSettings", "LongTable", "Model", "Structure"]

Model = Literal["mixed", "mmrm", "clda", "fixed_subject"]
BaselineAs = Literal["common", "outcome", "covariate"]
Structure = Literal["random_intercept", "unstructured", "independent"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LongTable:
    """Every planned cell of the trial: one row per participant and session or period.

    Parameters
    ----------
    kind : {"parallel", "crossover"}
        Of the trial.
    subjects : tuple of str
        Participant of each row; rows of a participant stand together, in the order of visits.
    groups : tuple of str
        Arm or sequence.
    strata : tuple of str
        Stratum of the randomisation, in a crossover with its experiment.
    experiments : tuple of str
        Crossover experiment that a row belongs to; all ``""`` where there is one.
    sessions : tuple of str or int
        Label of the session (parallel) or number of the period from 1 (crossover).
    treatments : tuple of str
        Treatment of the period (crossover); the participant's arm (parallel), ``""`` at baseline.
    previous_treatments : tuple of str
        Treatment of the period before; ``""`` in the first, and in parallel trials.
    covariates : dict of str to ndarray of shape (n_rows, n_columns)
        Repeated in all rows of a participant.
    present : ndarray of shape (n_rows,)
        Rows that have data.
    """

    kind: Literal["parallel", "crossover"]
    subjects: tuple[str, ...]
    groups: tuple[str, ...]
    strata: tuple[str, ...]
    experiments: tuple[str, ...]
    sessions: tuple[str | int, ...]
    treatments: tuple[str, ...]
    previous_treatments: tuple[str, ...]
    covariates: dict[str, Float[np.ndarray, "n_rows n_columns"]]
    present: Bool[np.ndarray, " n_rows"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LongSettings:
    """What is asked of the model of all sessions or periods.

    Parameters
    ----------
    model : {"mixed", "mmrm", "clda", "fixed_subject"}
        Random intercept; unstructured over the sessions after baseline, adjusted for the baseline;
        unstructured over all sessions with one mean of all arms at baseline; least squares with a
        level per participant (crossover).
    contrast : tuple of str
        Two arms or treatments, the first minus the second. With ``references`` the drug and the
        pretreated drug.
    references : tuple of str or None
        References of the two sides of ``contrast`` (the same one twice without a factorial): asks
        for ``drug``, ``pretreated`` and their ``difference`` together.
    reference_drug : str or None
        Crossover whose first reference was given to other people than ``contrast``: the drug as
        these had it. ``drug`` is then this minus the reference, ``difference`` the contrast,
        and ``pretreated`` the first less the second.
    session, baseline : str or None
        Session of the outcome and session before treatment, in a parallel trial.
    early : str or None
        A further session: asks for the contrast ``early`` and ``late`` (at ``session``).
    baseline_as : {"common", "outcome", "covariate"} or None
        What the baseline of a ``mixed`` model is: an outcome with one mean of all arms; an
        outcome with a mean per arm, so that contrasts are differences of changes; numbers that the
        other sessions are adjusted for. None: numbers where all participants have them, else
        common. ``mmrm`` is covariate, in maps with an image of every participant's own, and
        ``clda`` common, whatever is said here.
    with_sequence : bool, default True
        Crossover, ``mixed``: sequences have means of their own.
    min_per_group : int, default 2
        Least number of participants in every cell that the contrast compares.
    least_squares : bool, default False
        Clustered errors stand for the covariance of a participant's rows: the words say so.
    """

    model: Model
    contrast: tuple[str, str]
    references: tuple[str, str] | None = None
    reference_drug: str | None = None
    session: str | None = None
    baseline: str | None = None
    early: str | None = None
    baseline_as: BaselineAs | None = None
    with_sequence: bool = True
    min_per_group: int = 2
    least_squares: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LongDesign:
    """A linear model of all sessions or periods with its contrasts.

    Parameters
    ----------
    rows : ndarray of int of shape (n_rows,)
        Rows of the `LongTable` that the model takes, in its order: outcomes are ``Y[rows]``.
    X : ndarray of shape (n_rows, n_columns)
        Of full rank.
    columns : tuple of str
        Names of the columns of ``X``.
    subjects, visits : ndarray of int of shape (n_rows,)
        Participant and visit of each row, counted from 0 without gaps.
    contrasts : ndarray of shape (n_contrasts, n_columns)
        In the measure's unit.
    names : tuple of str
        What each contrast is.
    structure : {"random_intercept", "unstructured", "independent"}
        Covariance of a participant's rows.
    sentences : tuple of str
        The model in words, for the methods text, with citations as ``[doi:...]``.
    notes : tuple of str
        Sentences that the claim must carry.
    not_estimable : dict of str to str
        Contrasts that were asked for beside the question's own and cannot be had: name -> reason.
    voxelwise_baseline : bool, default False
        Every outcome has its own baseline beside ``X``, with a slope per session.
    """

    rows: Int[np.ndarray, " n_rows"]
    X: Float[np.ndarray, "n_rows n_columns"]
    columns: tuple[str, ...]
    subjects: Int[np.ndarray, " n_rows"]
    visits: Int[np.ndarray, " n_rows"]
    contrasts: Float[np.ndarray, "n_contrasts n_columns"]
    names: tuple[str, ...]
    structure: Structure
    sentences: tuple[str, ...]
    notes: tuple[str, ...]
    not_estimable: dict[str, str]
    voxelwise_baseline: bool = False
