"""What the group room hands on: a question as a linear model of independent units."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

__all__ = [
    "AdjustedOutcomes",
    "ContrastPartition",
    "Estimate",
    "Exchangeability",
    "JointEstimate",
    "SequenceTest",
    "UnitDesign",
    "UnitTable",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitTable:
    """Participants that can answer a question, with all that the design needs of them.

    Parameters
    ----------
    subjects : tuple of str
        One independent unit each, sorted.
    groups : tuple of str
        Arm or sequence; all ``"unknown"`` when the order of a crossover is not recorded.
    strata : tuple of str
        Randomisation stratum; all ``""`` without stratification.
    covariates : dict of str to ndarray of shape (n_units, n_columns)
        Per covariate of the question: centred numbers, or indicator columns of a text.
    """

    subjects: tuple[str, ...]
    groups: tuple[str, ...]
    strata: tuple[str, ...]
    covariates: dict[str, Float[np.ndarray, "n_units n_columns"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchangeability:
    """What may change places with what under the null hypothesis: a tree of rows.

    The rows of a design are the leaves of a tree (site, participant, scan). At a level that is
    ``exchanged``, siblings (members with the same parent) may change places together with all
    that hangs below them; at other levels they stay. Strata with free participants are levels
    ``(stratum, participant)`` with ``exchanged = (False, True)``; participants moved as whole
    blocks of visits are ``(participant, visit)`` with ``(True, False)``, visits within
    participants the same levels with ``(False, True)``, both with ``(True, True)``.

    Parameters
    ----------
    kind : {"permute", "sign_flip", "both"}
        Whether members change places, change sign, or both. Signs belong to the members of the
        deepest exchanged level: all rows of such a member change sign together.
    levels : ndarray of shape (n_rows, n_levels)
        Label of each row's member at each level, outermost first. Labels need be unique only
        among siblings; at the deepest level every row is a member of its own. When a member
        changes places with a sibling, their rows are matched by the labels below them.
    exchanged : tuple of bool
        One per level.
    fixed : ndarray of shape (n_rows,)
        Rows that stay where they are, with their sign.
    null : str
        The hypothesis that this tests, as a sentence.
    words : str
        What is shuffled, as a sentence.
    """

    kind: Literal["permute", "sign_flip", "both"]
    levels: Int[np.ndarray, "n_rows n_levels"]
    exchanged: tuple[bool, ...]
    fixed: Bool[np.ndarray, " n_rows"]
    null: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnitDesign:
    """A question reduced to a linear model, as a rule with one row per participant.

    The outcome of row i is ``Y[i]`` (see ``estimator``); the model is
    ``Y = X b + baseline * g + e`` with ``baseline`` voxelwise where ``voxelwise_baseline``.

    Parameters
    ----------
    estimator : {"ancova", "change", "post", "crossover", "paired", "periods", "mixed", ...}
        How the outcome is made of a participant's images: the image at the session (ancova,
        post; rank and ordinal look at its order alone), minus the baseline session (change), half
        of period 1 minus period 2 (crossover), first minus second treatment (paired: order
        unknown), or every period's image as a row of its own (periods: crossover of more than two
        periods, or with cells missing; mixed, mmrm, clda: sessions too, with correlated errors,
        nothing in them changes places).
    subjects : tuple of str
        Participant of each row.
    groups : tuple of str
        Arm or sequence of each row.
    X : ndarray of shape (n_units, n_columns)
        One row per unit; ``periods``: one per participant and planned period.
    columns : tuple of str
        Names of the columns of ``X``.
    contrast : ndarray of shape (n_columns,) or (n_contrasts, n_columns)
        Gives the treatment effect in the measure's own unit; several rows are tested jointly (F).
    voxelwise_baseline : bool
        The unit's own baseline image is a further column, per outcome.
    exchangeability : Exchangeability
        Which rows may change places, and which null hypothesis that tests.
    variance_groups : ndarray of shape (n_units,) or None
        Rows that share a residual variance, for Welch-type statistics; None: all.
    dealt : ndarray of shape (n_columns,) or None
        Columns that the randomisation dealt (treatments); shuffling labels moves these. None:
        the contrast alone.
    present : ndarray of shape (n_units,) or None
        Rows that have data; planned rows without are not fitted but take part in the dealing.
        None: all.
    notes : tuple of str
        Sentences that the claim must carry.
    sentences : tuple of str
        The model in words, for the methods text, with citations as ``[doi:...]``.
    """

    estimator: Literal[
        "ancova",
        "change",
        "post",
        "crossover",
        "paired",
        "periods",
        "mixed",
        "mmrm",
        "clda",
        "rank",
        "ordinal",
    ]
    subjects: tuple[str, ...]
    groups: tuple[str, ...]
    X: Float[np.ndarray, "n_units n_columns"]
    columns: tuple[str, ...]
    contrast: Float[np.ndarray, "*n_contrasts n_columns"]
    voxelwise_baseline: bool
    exchangeability: Exchangeability
    notes: tuple[str, ...]
    sentences: tuple[str, ...]
    variance_groups: Int[np.ndarray, " n_units"] | None = None
    dealt: Bool[np.ndarray, " n_columns"] | None = None
    present: Bool[np.ndarray, " n_units"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A contrast fitted to every outcome.

    Parameters
    ----------
    effect, se, t : ndarray of shape (n_outcomes,)
        Effect in the measure's unit, its standard error, their ratio.
    df : float or ndarray of shape (n_outcomes,)
        Residual degrees of freedom; one per outcome where coverage or variances differ.
    d : ndarray of shape (n_outcomes,)
        Standardised effect: the effect over the residual SD (parallel), or over the SD of a
        within-person difference (crossover).
    """

    effect: Float[np.ndarray, " n_outcomes"]
    se: Float[np.ndarray, " n_outcomes"]
    t: Float[np.ndarray, " n_outcomes"]
    df: float | Float[np.ndarray, " n_outcomes"]
    d: Float[np.ndarray, " n_outcomes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JointEstimate:
    """Several contrasts of one fitted model, for every outcome.

    Parameters
    ----------
    names : tuple of str
        What each contrast is.
    effect : ndarray of shape (n_contrasts, n_outcomes)
        In the measure's unit; NaN where ``status`` is 3.
    covariance : ndarray of shape (n_outcomes, n_contrasts, n_contrasts)
        Sampling covariance of the effects; NaN where ``status`` is 3.
    df : ndarray of shape (n_contrasts, n_outcomes)
        Degrees of freedom of each contrast's t.
    status : ndarray of shape (n_outcomes,)
        0 fitted; 1 fitted, with a variance component at its boundary; 2 not converged; 3 not
        estimable, or the outcome does not vary.
    """

    names: tuple[str, ...]
    effect: Float[np.ndarray, "n_contrasts n_outcomes"]
    covariance: Float[np.ndarray, "n_outcomes n_contrasts n_contrasts"]
    df: Float[np.ndarray, "n_contrasts n_outcomes"]
    status: UInt8[np.ndarray, " n_outcomes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContrastPartition:
    r"""A design split into its contrast and everything else.

    With :math:`x = Xc/(c^\top c)` and :math:`Z = X\,\mathrm{null}(c^\top)` the model
    :math:`X\beta` equals :math:`x\,(c^\top\beta) + Zg`, so that the coefficient of :math:`x`
    is the effect.

    Parameters
    ----------
    regressor : ndarray of shape (n_units,) or (n_units, n_contrasts)
        :math:`x` without its projection on the nuisance.
    nuisance : ndarray of shape (n_units, n_nuisance)
        Orthonormal basis of :math:`Z`.
    labels : ndarray of shape (n_units,) or (n_units, n_contrasts)
        :math:`x` itself: units with equal labels are alike under the contrast.
    df : float
        Residual degrees of freedom, a voxelwise baseline counted.
    """

    regressor: Float[np.ndarray, "n_units ..."]
    nuisance: Float[np.ndarray, "n_units n_nuisance"]
    labels: Float[np.ndarray, "n_units ..."]
    df: float


@dataclass(frozen=True, slots=True, kw_only=True)
class AdjustedOutcomes:
    r"""Outcomes without their nuisance, and what the voxelwise baseline leaves of the contrast.

    Parameters
    ----------
    residual : ndarray of shape (n_units, n_outcomes)
        Outcomes without nuisance and baseline: residuals under the null hypothesis.
    baseline : ndarray of shape (n_units, n_outcomes) or None
        Unit vectors: the baseline without nuisance, over its length.
    overlap : ndarray of shape (n_outcomes,) or None
        Inner product of regressor and unit baseline.
    information : ndarray of shape (n_outcomes,)
        Squared length of the regressor without nuisance and baseline.
    degenerate : ndarray of shape (n_outcomes,)
        The outcome or its baseline does not vary, or the baseline holds the contrast itself.
    """

    residual: Float[np.ndarray, "n_units n_outcomes"]
    baseline: Float[np.ndarray, "n_units n_outcomes"] | None
    overlap: Float[np.ndarray, " n_outcomes"] | None
    information: Float[np.ndarray, " n_outcomes"]
    degenerate: Bool[np.ndarray, " n_outcomes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceTest:
    """Period and carry-over of a 2x2 crossover: reported, never used to choose an analysis.

    Parameters
    ----------
    period : Estimate
        Period 1 minus period 2.
    period_pvalue : ndarray of shape (n_outcomes,)
        Two-sided, from Student's t.
    carry_over : Estimate
        Difference between sequences of the participants' sums over both periods: carry-over of
        the first treatment minus that of the second, with between-participant error.
    carry_over_pvalue : ndarray of shape (n_outcomes,)
        Two-sided, from Student's t.
    sentences : tuple of str
        What was computed and how it may be read, with citations as ``[doi:...]``.
    """

    period: Estimate
    period_pvalue: Float[np.ndarray, " n_outcomes"]
    carry_over: Estimate
    carry_over_pvalue: Float[np.ndarray, " n_outcomes"]
    sentences: tuple[str, ...]
