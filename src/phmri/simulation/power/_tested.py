"""Simulated outcomes analysed as a run analyses measured ones."""

from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from jaxtyping import Bool, Float

from phmri.exceptions import Problem, SimulationError
from phmri.group import (
    Estimate,
    JointEstimate,
    UnitDesign,
    fit_contrast,
    fit_long_design,
    fit_ols,
    make_outcome,
    make_unit_contrasts,
)
from phmri.inference import InferenceResult, Space, infer, judge_estimate
from phmri.protocol import Inference, Question
from phmri.simulation.power._layout import PAIRED, REPEATED, Layout

__all__ = ["Noise", "analyse_cells", "draw_cells", "estimate_contrast", "fit_joint", "lose"]

NOT_CONVERGED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How people and their sessions vary.

    Parameters
    ----------
    sd : float, default 1
        Standard deviation between people at one session, in the measure's unit; above 0.
    correlation : float, default 0.5
        Of two sessions of one person under the same treatment, from 0 to below 1.
    missing : float, default 0
        Share of scans lost at random, from 0 to below 1.

    Raises
    ------
    SimulationError
        When a number is out of range; all at once.
    """

    sd: float = 1.0
    correlation: float = 0.5
    missing: float = 0.0

    def __post_init__(self) -> None:
        problems = []
        if not 0 < self.sd < np.inf:
            problems.append(
                Problem(what="a standard deviation is above 0", field="sd", found=str(self.sd))
            )
        problems += [
            Problem(what="a share from 0 to below 1", field=name, found=str(share))
            for name, share in (("correlation", self.correlation), ("missing", self.missing))
            if not 0 <= share < 1
        ]
        if problems:
            raise SimulationError(*problems)

    @property
    def difference_sd(self) -> float:  # numpydoc ignore=RT01
        """Standard deviation of the difference of two sessions of a person."""
        return float(self.sd * np.sqrt(2 * (1 - self.correlation)))


def draw_cells(
    layout: Layout,
    noise: Noise,
    shared: Float[np.ndarray, "n_people ..."],
    own: Float[np.ndarray, "n_cells ..."],
) -> Float[np.ndarray, "n_cells ..."]:
    """Make cells of what a person always has and of what every session adds.

    Parameters
    ----------
    layout : Layout
    noise : Noise
    shared : ndarray of shape (n_participants, ...)
        Standard normal.
    own : ndarray of shape (n_cells, ...)
        Standard normal.

    Returns
    -------
    ndarray of shape (n_cells, ...)
        Without any effect, in the measure's unit.
    """
    rho = noise.correlation
    cells = np.sqrt(rho) * shared[layout.subject] + np.sqrt(1 - rho) * own
    return np.asarray(noise.sd * cells)


def lose(
    layout: Layout, noise: Noise, rng: np.random.Generator, n_patterns: int
) -> Bool[np.ndarray, "n_cells n_patterns"]:
    """Draw which cells of a model of all sessions are lost.

    Parameters
    ----------
    layout : Layout
    noise : Noise
    rng : numpy.random.Generator
    n_patterns : int

    Returns
    -------
    ndarray of bool of shape (n_cells, n_patterns)
    """
    return np.asarray(rng.random((layout.subject.size, n_patterns)) < noise.missing)


def _rows(
    layout: Layout, cells: Float[np.ndarray, "n_cells n_outcomes"]
) -> tuple[Float[np.ndarray, "n_rows n_outcomes"], Float[np.ndarray, "n_rows n_outcomes"] | None]:
    if layout.long is not None:
        return cells[layout.long.rows], None
    unit = cast("UnitDesign", layout.unit)
    images = {role: cells[rows] for role, rows in layout.roles.items()}
    return make_outcome(unit, images), images["baseline"] if unit.voxelwise_baseline else None


def fit_joint(
    question: Question, layout: Layout, cells: Float[np.ndarray, "n_cells n_outcomes"]
) -> JointEstimate:
    """Fit the contrasts of a question in every outcome.

    Parameters
    ----------
    question : Question
    layout : Layout
    cells : ndarray of shape (n_cells, n_outcomes)
        NaN where a cell is lost.

    Returns
    -------
    JointEstimate
        The question's own contrast first.
    """
    Y, baseline = _rows(layout, cells)
    if layout.long is not None:
        return fit_long_design(
            layout.long,
            Y,
            errors="cr2" if question.errors == "cr2" else "model",
            df_method=question.degrees_of_freedom,
        )
    design = cast("UnitDesign", layout.unit)
    if design.estimator in PAIRED:
        names: tuple[str, ...] = ("difference",)
        contrasts = np.atleast_2d(design.contrast)
    else:
        contrasts, names = make_unit_contrasts(layout.settings, design)
    errors: Literal["model", "hc3"] = "hc3" if question.errors == "hc3" else "model"
    return fit_ols(Y, design.X, contrasts, names, errors=errors, baseline=baseline)


def estimate_contrast(
    question: Question, layout: Layout, cells: Float[np.ndarray, "n_cells n_outcomes"]
) -> tuple[Estimate, Bool[np.ndarray, " n_outcomes"]]:
    """Estimate a question's own contrast in every outcome.

    Parameters
    ----------
    question : Question
    layout : Layout
    cells : ndarray of shape (n_cells, n_outcomes)
        NaN where a cell is lost.

    Returns
    -------
    Estimate
        Where nothing was fitted the effect is 0 and its standard error 1; ``d`` is not filled in
        for models of all sessions.
    ndarray of bool of shape (n_outcomes,)
        Whether the model was fitted and converged.
    """
    if not _needs_model(question) and layout.unit is not None:
        Y, baseline = _rows(layout, cells)
        return fit_contrast(layout.unit, Y, baseline), np.ones(Y.shape[1], dtype=bool)
    joint = fit_joint(question, layout, cells)
    se = np.sqrt(joint.covariance[:, 0, 0])
    fitted = (joint.status < NOT_CONVERGED) & np.isfinite(se) & (se > 0)
    effect, se = np.where(fitted, joint.effect[0], 0.0), np.where(fitted, se, 1.0)
    df = np.where(fitted, joint.df[0], 1.0)
    t = effect / se
    return Estimate(effect=effect, se=se, t=t, df=df, d=np.full(t.shape, np.nan)), fitted


def _needs_model(question: Question) -> bool:
    return question.estimator in REPEATED or question.errors != "model"


def analyse_cells(
    question: Question,
    layout: Layout,
    cells: Float[np.ndarray, "n_cells n_outcomes"],
    settings: Inference,
    space: Space | None = None,
) -> InferenceResult:
    """Test a question's own contrast in every outcome, as the settings say.

    Parameters
    ----------
    question : Question
    layout : Layout
    cells : ndarray of shape (n_cells, n_outcomes)
        NaN where a cell is lost.
    settings : Inference
    space : Volume, Graph or None
        Where outcomes lie beside each other.

    Returns
    -------
    InferenceResult
        By shuffling, or from the model's own standard errors where it cannot be shuffled.
    """
    if layout.unit is not None and not _needs_model(question):
        Y, baseline = _rows(layout, cells)
        return infer(
            layout.unit, Y, baseline, settings, alternative=question.alternative, space=space
        )
    estimate, fitted = estimate_contrast(question, layout, cells)
    return judge_estimate(
        estimate,
        settings,
        tested=fitted,
        n_per_outcome=np.isfinite(cells).sum(axis=0),
        alternative=question.alternative,
    )
