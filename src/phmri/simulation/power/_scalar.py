"""Power of questions about one number, by simulated trials that are analysed as a run does."""

import math
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float, Int

from phmri.exceptions import Problem, SimulationError
from phmri.group import VERDICTS, confidence_interval, judge_blockade
from phmri.protocol import Crossover, Inference, Parallel, Question
from phmri.simulation.power._layout import REPEATED, Layout, make_layout, sequences_of
from phmri.simulation.power._tested import (
    Noise,
    analyse_cells,
    draw_cells,
    estimate_contrast,
    fit_joint,
    lose,
)
from phmri.simulation.power._trials import Effort, OnBlock, SimulatedPower, count_findings

__all__ = [
    "Case",
    "QuestionPower",
    "complete",
    "settings_for",
    "simulate_blockade",
    "simulate_equivalence",
    "simulate_question",
]

N_PATTERNS = 10
"""Patterns of lost scans in a block; its trials take them in turn."""
BEYOND = 5
"""Least shufflings times alpha: that many may reach the observed statistic of a finding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionPower:
    """How often a question is answered with "found".

    Parameters
    ----------
    as_asked : SimulatedPower
        By the inference that the question declares: shuffling, as a rule.
    by_t : SimulatedPower
        In the same trials, by the distribution of Student's t.
    """

    as_asked: SimulatedPower
    by_t: SimulatedPower


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A trial of a size, asked a question.

    Parameters
    ----------
    question : Question
        As the protocol asks it.
    design : Parallel or Crossover
        The trial.
    n : int
        Participants per arm, or in the whole crossover.
    noise : Noise
        Variation of people and sessions, and the share of scans that is lost.
    """

    question: Question
    design: Parallel | Crossover
    n: int
    noise: Noise = field(default_factory=Noise)


def complete(case: Case) -> int:
    """Give the participants who have all scans that a question needs of them.

    Parameters
    ----------
    case : Case
        With the share of scans that is lost.

    Returns
    -------
    int
        Per arm, or in the whole crossover; all of them for models that take lost scans.
    """
    question, noise = case.question, case.noise
    if question.estimator in REPEATED:
        return case.n
    if isinstance(case.design, Crossover):
        sequences = case.design.sequences
        names = sequences_of(question, case.design)
        needed = max(len(sequences[name].treatments) for name in names)
    else:
        needed = 1 if question.baseline is None or question.estimator == "post" else 2
    # The tolerance keeps what is whole but for rounding from losing a participant.
    return math.floor(case.n * (1 - noise.missing) ** needed + 1e-9)


def settings_for(settings: Inference, effort: Effort, alpha: float, seed: int) -> Inference:
    """Give the settings of inference in simulated trials.

    Parameters
    ----------
    settings : Inference
        As the protocol declares them.
    effort : Effort
        Most shufflings.
    alpha : float
        Error rate.
    seed : int
        Of the shufflings.

    Returns
    -------
    Inference
        The same method and statistic with as many shufflings as it takes; whatever would be told
        beside the verdict is left out.
    """
    enough = max(effort.n_permutations, math.ceil(BEYOND / alpha))
    beside = {"cluster_z": None, "cluster_t": None, "cluster_p": None}
    drop = beside if settings.method in {"voxel", "tfce", "fdr", "holm"} else {}
    return settings.model_copy(
        update={
            "n_permutations": min(settings.n_permutations, enough),
            "seed": seed,
            "alpha": alpha,
            "tail": "counts",
            "stop_after": None,
            "shuffle_within": (),
            **drop,
        }
    )


def simulate_question(
    case: Case,
    effect: float,
    settings: Inference,
    effort: Effort,
    *,
    alpha: float = 0.05,
    key: tuple[int, ...] = (),
    on_block: OnBlock | None = None,
) -> QuestionPower:
    """Simulate how often a question about one number is answered with "found".

    Parameters
    ----------
    case : Case
        Question, trial, size and variation.
    effect : float
        True contrast, in the measure's unit.
    settings : Inference
        As the protocol declares them for this question.
    effort : Effort
        Trials, seed, threads, shufflings.
    alpha : float, default 0.05
        Error rate.
    key : tuple of int, default ()
        Tells cases that share a seed apart.
    on_block : callable, optional
        Called as ``on_block(trials done, trials in all)``.

    Returns
    -------
    QuestionPower
        Findings in the wrong direction count where the test has two sides.

    Notes
    -----
    Outcomes are normal. The trials of a block are outcomes of one model, tested by the
    estimator and the inference that `run` uses, under shufflings that they share.
    """
    layout = _layout(case)

    def count(rng: np.random.Generator, n: int) -> Int[np.ndarray, " n_findings"]:
        cells = _draw(case, layout, rng, n) + effect * layout.drug[:, None]
        found = settings_for(settings, effort, alpha, int(rng.integers(2**31)))
        result = analyse_cells(case.question, layout, cells, found)
        pvalues = np.stack([result.pvalue_uncorrected, result.pvalue_parametric])
        return np.asarray((pvalues[:, result.tested] <= alpha).sum(axis=1))

    as_asked, by_t = count_findings(count, effort, key=key, on_block=on_block)
    return QuestionPower(as_asked=as_asked, by_t=by_t)


def simulate_equivalence(
    case: Case,
    effect: float,
    margin: float,
    effort: Effort,
    *,
    alpha: float = 0.05,
    key: tuple[int, ...] = (),
) -> SimulatedPower:
    r"""Simulate how often an effect is shown to lie within a margin.

    Parameters
    ----------
    case : Case
        Question, trial, size and variation.
    effect : float
        True contrast, in the measure's unit.
    margin : float
        Largest effect that counts as none, in the measure's unit; above 0.
    effort : Effort
        Trials, seed, threads.
    alpha : float, default 0.05
        Error rate of each of two one-sided tests.
    key : tuple of int, default ()
        Tells cases that share a seed apart.

    Returns
    -------
    SimulatedPower
        Share of trials whose :math:`1 - 2\alpha` interval lies within the margin, which is the
        same as two one-sided tests at :math:`\alpha`.

    Raises
    ------
    SimulationError
        When the margin is not above 0.
    """
    if not 0 < margin < np.inf:
        raise SimulationError(
            Problem(what="a margin is above 0", field="margin", found=str(margin))
        )
    layout = _layout(case)

    def count(rng: np.random.Generator, n: int) -> Int[np.ndarray, " n_findings"]:
        cells = _draw(case, layout, rng, n) + effect * layout.drug[:, None]
        estimate, fitted = estimate_contrast(case.question, layout, cells)
        low, high = confidence_interval(estimate, 1 - 2 * alpha)
        return np.array([(fitted & (low > -margin) & (high < margin)).sum()])

    return count_findings(count, effort, key=key)[0]


def simulate_blockade(
    case: Case,
    drug_effect: float,
    attenuation: float,
    effort: Effort,
    *,
    margin: float | None = None,
    alpha: float = 0.05,
    key: tuple[int, ...] = (),
) -> dict[str, SimulatedPower]:
    """Simulate how often each verdict on a blockade is reached.

    Parameters
    ----------
    case : Case
        A question about a blockade; trial, size and variation.
    drug_effect : float
        True effect of the drug alone against the reference, in the measure's unit.
    attenuation : float
        Share of it that the pretreatment takes away: 0 none, 1 all.
    effort : Effort
        Trials, seed, threads.
    margin : float, optional
        Largest effect that counts as none, in the measure's unit. Without it neither "blocked"
        nor "not blocked" is ever said.
    alpha : float, default 0.05
        Error rate of every test.
    key : tuple of int, default ()
        Tells cases that share a seed apart.

    Returns
    -------
    dict of str to SimulatedPower
        Verdict of `phmri.group.judge_blockade` -> share of trials.

    Raises
    ------
    SimulationError
        When the question is about no blockade.
    """
    if case.question.blockade is None:
        raise SimulationError(
            Problem(what="the question is about no blockade", field=case.question.text)
        )
    layout = _layout(case)
    planted = drug_effect * (layout.drug + (1 - attenuation) * layout.pretreated)

    def count(rng: np.random.Generator, n: int) -> Int[np.ndarray, " n_findings"]:
        cells = _draw(case, layout, rng, n) + planted[:, None]
        joint = fit_joint(case.question, layout, cells)
        judged = judge_blockade(
            joint, margin=margin, alpha=alpha, alternative=case.question.alternative
        )
        return np.bincount(judged.verdict, minlength=len(VERDICTS))

    counted = count_findings(count, effort, key=key)
    return dict(zip(VERDICTS, counted, strict=True))


def _layout(case: Case) -> Layout:
    return make_layout(case.question, case.design, complete(case))


def _draw(
    case: Case, layout: Layout, rng: np.random.Generator, n: int
) -> Float[np.ndarray, "n_cells n_trials"]:
    """Draw cells without effect, and lose some where the model takes that."""
    shared = rng.standard_normal((layout.n_participants, n))
    own = rng.standard_normal((layout.subject.size, n))
    cells = draw_cells(layout, case.noise, shared, own)
    if case.noise.missing and layout.long is not None:
        patterns = lose(layout, case.noise, rng, N_PATTERNS)
        cells = np.where(patterns[:, np.arange(n) % N_PATTERNS], np.nan, cells)
    return cells
