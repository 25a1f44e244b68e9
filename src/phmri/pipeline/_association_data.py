"""Who has both an outcome and a score, and what of them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from phmri.dataset import LEAST_ASSOCIATED, association_cells, source_of
from phmri.exceptions import DesignError, Problem
from phmri.pipeline._asked import GroupInputs
from phmri.pipeline._left_out import leave_out_constant
from phmri.pipeline._loading import LoadedOutcomes, MeasuredRun, load_outcomes
from phmri.pipeline._populations import Counted, count_in
from phmri.pipeline._ratings import Rating, score_of
from phmri.pipeline._sound import few
from phmri.pipeline._units import covariate_columns
from phmri.protocol import Association, Question

__all__ = ["AssociationData", "as_question", "load_association"]

Visits = dict[str, str]
"""Role -> session."""
SIGNS = {"outcome": 1.0, "baseline": -1.0, "first": 1.0, "second": -1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationData:
    """Outcomes and scores of the participants who have both.

    Parameters
    ----------
    subjects : tuple of str
    groups : tuple of str
        Arm, or sequence of a crossover; all ``""`` where the order is unknown.
    outcomes : LoadedOutcomes
        Per role.
    Y : ndarray of shape (n_participants, n_outcomes)
        Outcome, its change or its difference between treatments; NaN where there is none.
    score : ndarray of shape (n_participants,)
        The same of the score.
    nuisance : ndarray of shape (n_participants, n_columns) or None
        What both are adjusted for.
    sources : tuple of str
        What every outcome and score was made with.
    """

    subjects: tuple[str, ...]
    groups: tuple[str, ...]
    outcomes: LoadedOutcomes
    Y: Float[np.ndarray, "n_participants n_outcomes"]
    score: Float[np.ndarray, " n_participants"]
    nuisance: Float[np.ndarray, "n_participants n_columns"] | None
    sources: tuple[str, ...]


def as_question(inputs: GroupInputs, item: Association) -> Question:
    """Ask for the outcomes of an association as a question does.

    Parameters
    ----------
    inputs : GroupInputs
    item : Association

    Returns
    -------
    Question
        Whose contrast is not looked at.
    """
    treatments = tuple(inputs.protocol.treatments)
    return Question(
        text=item.text,
        role=item.role,
        measure=item.measure,
        map=item.map,
        where=item.where,
        session=item.session,
        contrast=item.contrast or (treatments[0], treatments[-1]),
        estimator="post",
    )


def load_association(inputs: GroupInputs, name: str) -> AssociationData:
    """Load the outcomes and scores of an association.

    Parameters
    ----------
    inputs : GroupInputs
    name : str
        Key in ``protocol.associations``.

    Returns
    -------
    AssociationData

    Raises
    ------
    DesignError
        When too few participants have both.
    """
    item = inputs.protocol.associations[name]
    visits, groups = _visits(inputs, item)
    members: dict[str, tuple[dict[str, MeasuredRun], dict[str, Rating]]] = {}
    scored = count_in(inputs.protocol, item.scale, inputs.check, inputs.happened, None)
    for subject, sessions in visits.items():
        found = _sources(inputs, item, subject, sessions, scored)
        if found is not None:
            members[subject] = found
    if len(members) < LEAST_ASSOCIATED:
        why = {cell.reason for cell in inputs.check.ratings if cell.scan == item.scale}
        absent = ", ".join(sorted(filter(None, why))) if not members else ""
        raise DesignError(
            Problem(
                what="too few participants have both the outcome and the score",
                field=f"associations.{name}",
                found=f"{len(members)}: {absent}" if absent else str(len(members)),
                expected=f"at least {LEAST_ASSOCIATED}",
            )
        )
    subjects = tuple(sorted(members))
    roles = tuple(next(iter(visits.values())))
    runs = {role: tuple(members[s][0][role] for s in subjects) for role in roles}
    ratings = {role: tuple(members[s][1][role] for s in subjects) for role in roles}
    outcomes = leave_out_constant(
        load_outcomes(
            inputs.protocol,
            as_question(inputs, item),
            runs,
            inputs.regions.get(item.where.mean_of or item.where.within or ""),
        )
    )
    Y = sum(SIGNS[role] * outcomes.images[role].astype(np.float64) for role in roles)
    scores = {
        role: np.array([score_of(rating, item.subscale) for rating in ratings[role]])
        for role in roles
    }
    everyone = [run for members_of in runs.values() for run in members_of]
    return AssociationData(
        subjects=subjects,
        groups=tuple(groups[subject] for subject in subjects),
        outcomes=outcomes,
        Y=np.asarray(Y),
        score=np.asarray(sum(SIGNS[role] * scores[role] for role in roles)),
        nuisance=_nuisance(inputs, item, subjects, runs),
        sources=(
            *(run.step_key for run in everyone),
            *(rating.step_key for role in roles for rating in ratings[role]),
        ),
    )


def _visits(inputs: GroupInputs, item: Association) -> tuple[dict[str, Visits], dict[str, str]]:
    """Find the sessions of everyone who may take part, by role."""
    counted = count_in(inputs.protocol, item.measure, inputs.check, inputs.happened, None)
    found = association_cells(inputs.protocol, item, counted.check.cells)
    visits = {
        subject: {role: cell.session for role, cell in roles.items()}
        for subject, roles in found.items()
    }
    return visits, {
        subject: next(iter(roles.values())).group or "" for subject, roles in found.items()
    }


def _sources(
    inputs: GroupInputs, item: Association, subject: str, sessions: Visits, scored: Counted
) -> tuple[dict[str, MeasuredRun], dict[str, Rating]] | None:
    """Give runs and ratings of a participant; None where one is lacking."""
    scan = source_of(inputs.protocol, item.measure)
    runs, ratings = {}, {}
    for role, session in sessions.items():
        run = inputs.runs.get((subject, session, scan))
        rating = inputs.ratings.get((subject, session, item.scale))
        gone = subject in scored.left_out or (subject, session) in scored.missing
        if run is None or run.excluded or rating is None or gone:
            return None
        if (subject, session) in scored.scores:
            rating = replace(rating, score=scored.scores[subject, session])
        if not np.isfinite(score_of(rating, item.subscale)):
            return None
        runs[role], ratings[role] = run, rating
    return runs, ratings


def _nuisance(
    inputs: GroupInputs,
    item: Association,
    subjects: tuple[str, ...],
    runs: Mapping[str, tuple[MeasuredRun, ...]],
) -> Float[np.ndarray, "n_participants n_columns"] | None:
    columns = []
    for name in item.partial:
        if name == "mean_fd":
            columns.append(_motion(subjects, runs))
        else:
            columns.append(covariate_columns(inputs.index, name, subjects))
    return np.column_stack(columns) if columns else None


def _motion(
    subjects: tuple[str, ...], runs: Mapping[str, tuple[MeasuredRun, ...]]
) -> Float[np.ndarray, "n_participants 1"]:
    motion = np.array(
        [[run.manifest.mean_fd_mm for run in members] for members in runs.values()],
        dtype=np.float64,  # None, of runs without confounds, is NaN
    ).mean(axis=0)
    unknown = [f"sub-{subjects[k]}" for k in np.flatnonzero(np.isnan(motion))]
    if unknown:
        raise DesignError(
            Problem(
                what="runs without framewise displacement", field="partial", found=few(unknown)
            )
        )
    return np.asarray(motion[:, None])
