"""What the correlations of an association are over.

One row per person gives one. Repeated rows give two: within persons, from the rows beside a mean
of each person, and between them, from those means.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from phmri.group import UnitDesign, association_design
from phmri.pipeline._association_rows import AssociationRows

__all__ = ["AssociationPart", "average_rows", "parts_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationPart:
    """What one correlation is over.

    Parameters
    ----------
    name : {"", "within", "between"}
        Empty where every participant has one row.
    codes : ndarray of shape (n_rows,)
        Which row of this part each row is averaged into.
    subjects, groups : tuple of str
        Of each row of the part.
    score : ndarray of shape (n_part,)
    nuisance : ndarray of shape (n_part, n_columns) or None
        What both are adjusted for.
    """

    name: Literal["", "within", "between"]
    codes: Int[np.ndarray, " n_rows"]
    subjects: tuple[str, ...]
    groups: tuple[str, ...]
    score: Float[np.ndarray, " n_part"]
    nuisance: Float[np.ndarray, "n_part n_columns"] | None

    @property
    def blocks(self) -> tuple[str, ...] | None:  # numpydoc ignore=RT01
        """What has a mean of its own, within which places change."""
        if self.name == "within":
            return self.subjects
        return self.groups if any(self.groups) else None

    def design(self, method: Literal["pearson", "spearman"]) -> UnitDesign:
        """Make the linear model of this part.

        Parameters
        ----------
        method : {"pearson", "spearman"}

        Returns
        -------
        UnitDesign
        """
        within = self.name == "within"
        return association_design(
            self.score,
            subjects=self.subjects,
            method=method,
            nuisance=self.nuisance,
            groups=None if within else self.blocks,
            repeated=within,
        )


def parts_of(
    rows: AssociationRows, nuisance: Float[np.ndarray, "n_rows n_columns"] | None
) -> tuple[AssociationPart, ...]:
    """Say what correlations an association asks for.

    Parameters
    ----------
    rows : AssociationRows
    nuisance : ndarray of shape (n_rows, n_columns) or None
        From `adjusted_columns`.

    Returns
    -------
    tuple of AssociationPart
        One, or those within and between persons.
    """
    repeated = any(rows.visits)
    whole = AssociationPart(
        name="within" if repeated else "",
        codes=np.arange(len(rows.subjects)),
        subjects=rows.subjects,
        groups=rows.groups,
        score=rows.score,
        nuisance=nuisance,
    )
    if not repeated:
        return (whole,)
    people, first, codes = np.unique(rows.subjects, return_index=True, return_inverse=True)
    between = AssociationPart(
        name="between",
        codes=codes.astype(np.int64),
        subjects=tuple(people.tolist()),
        groups=tuple(np.array(rows.groups)[first].tolist()),
        score=average_rows(rows.score[:, None], codes)[:, 0],
        nuisance=None if nuisance is None else average_rows(nuisance, codes),
    )
    return whole, between


def average_rows(
    values: Float[np.ndarray, "n_rows n_columns"], codes: Int[np.ndarray, " n_rows"]
) -> Float[np.ndarray, "n_part n_columns"]:
    """Average the rows of every participant.

    Parameters
    ----------
    values : ndarray of shape (n_rows, n_columns)
    codes : ndarray of shape (n_rows,)
        Which of the averages each row belongs to, from 0.

    Returns
    -------
    ndarray of shape (n_part, n_columns)
    """
    sums = np.zeros((int(codes.max()) + 1, values.shape[1]))
    np.add.at(sums, codes, values)
    return np.asarray(sums / np.bincount(codes)[:, None])
