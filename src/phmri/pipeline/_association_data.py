"""The outcomes and scores of an association, one row per person or per pair of a person."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from phmri.dataset import Cell, source_of
from phmri.exceptions import DesignError, Problem
from phmri.pipeline._asked import GroupInputs
from phmri.pipeline._association_parts import AssociationPart, average_rows, parts_of
from phmri.pipeline._association_rows import (
    MOTION,
    SIGNS,
    AssociationRows,
    adjusted_columns,
    find_rows,
    refuse_rows,
)
from phmri.pipeline._left_out import leave_out_constant
from phmri.pipeline._loading import LoadedOutcomes, MeasuredRun, load_outcomes
from phmri.pipeline._sound import few
from phmri.protocol import Association, Protocol, Question

__all__ = ["SIGNS", "AssociationData", "as_question", "load_association", "refuse_motion"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationData:
    """Outcomes and scores of the rows that have both.

    Parameters
    ----------
    rows : AssociationRows
    nuisance : ndarray of shape (n_rows, n_columns) or None
        What both are adjusted for.
    outcomes : LoadedOutcomes
        Per role.
    Y : ndarray of shape (n_rows, n_outcomes)
        Outcome, its change or its difference between treatments; NaN where there is none.
    sources : tuple of str
        What every outcome and score was made with.
    """

    rows: AssociationRows
    nuisance: Float[np.ndarray, "n_rows n_columns"] | None
    outcomes: LoadedOutcomes
    Y: Float[np.ndarray, "n_rows n_outcomes"]
    sources: tuple[str, ...]

    @property
    def parts(self) -> tuple[AssociationPart, ...]:  # numpydoc ignore=RT01
        """Correlations that are asked for."""
        return parts_of(self.rows, self.nuisance)

    def outcomes_of(self, part: AssociationPart) -> Float[np.ndarray, "n_part n_outcomes"]:
        """Give the outcomes of one correlation.

        Parameters
        ----------
        part : AssociationPart

        Returns
        -------
        ndarray of shape (n_part, n_outcomes)
            The rows themselves, or the participants' means of them.
        """
        return average_rows(self.Y, part.codes) if part.name == "between" else self.Y


def as_question(protocol: Protocol, item: Association) -> Question:
    """Ask for the outcomes of an association as a question does.

    Parameters
    ----------
    protocol : Protocol
    item : Association

    Returns
    -------
    Question
        Whose contrast is not looked at.
    """
    treatments = tuple(protocol.treatments)
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

    Notes
    -----
    A `DesignError` says that too few participants have both, that a column to adjust for is
    missing or incomplete, or that outcomes do not fit together.
    """
    protocol = inputs.protocol
    item = protocol.associations[name]
    scan = source_of(protocol, item.measure)

    def usable(cell: Cell) -> bool:
        run = inputs.runs.get((cell.subject, cell.session, scan))
        return run is not None and not run.excluded

    rows = find_rows(
        protocol,
        name,
        check=inputs.check,
        happened=inputs.happened,
        ratings=inputs.ratings,
        usable=usable,
    )
    refuse_rows(protocol, name, rows)
    roles = tuple(rows.cells[0])
    runs = {
        role: tuple(
            inputs.runs[cells[role].subject, cells[role].session, scan] for cells in rows.cells
        )
        for role in roles
    }
    motion = _motion(rows, list(runs.values())) if MOTION in item.partial else None
    nuisance = adjusted_columns(inputs.index, item, rows, motion)
    outcomes = leave_out_constant(
        load_outcomes(
            protocol,
            as_question(protocol, item),
            runs,
            inputs.regions.get(item.where.mean_of or item.where.within or ""),
        )
    )
    Y = sum(SIGNS[role] * outcomes.images[role].astype(np.float64) for role in roles)
    return AssociationData(
        rows=rows,
        nuisance=nuisance,
        outcomes=outcomes,
        Y=np.asarray(Y),
        sources=(
            *(run.step_key for members in runs.values() for run in members),
            *(own[role].step_key for role in roles for own in rows.ratings),
        ),
    )


def _motion(
    rows: AssociationRows, runs: Sequence[Sequence[MeasuredRun]]
) -> Float[np.ndarray, " n_rows"]:
    motion = np.array(
        [[run.manifest.mean_fd_mm for run in members] for members in runs],
        dtype=np.float64,  # None, of runs without confounds, is NaN
    ).mean(axis=0)
    refuse_motion([rows.subjects[k] for k in np.flatnonzero(np.isnan(motion))])
    return np.asarray(motion)


def refuse_motion(unknown: Sequence[str]) -> None:
    """Refuse to adjust for motion that is not known.

    Parameters
    ----------
    unknown : sequence of str
        Participants with a run without framewise displacement.

    Raises
    ------
    DesignError
        When there is one.
    """
    if unknown:
        names = [f"sub-{subject}" for subject in dict.fromkeys(unknown)]
        raise DesignError(
            Problem(what="runs without framewise displacement", field="partial", found=few(names))
        )
