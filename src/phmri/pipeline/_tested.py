"""One question's data, tested."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from phmri.exceptions import SAME_OUTCOME, DesignError, Problem
from phmri.group import (
    ORDERED,
    Estimate,
    JointEstimate,
    fit_covered,
    sessions_without_error,
)
from phmri.inference import (
    InferenceResult,
    Space,
    Volume,
    infer,
    judge_estimate,
    make_edge_graph,
    match_estimate,
    region_pairs,
)
from phmri.pipeline._asked import Asked, GroupInputs
from phmri.pipeline._left_out import leave_out_constant, refuse_same_baseline
from phmri.pipeline._loading import LoadedOutcomes, MeasuredRun, load_outcomes
from phmri.pipeline._long_fit import fit_long, own_baselines, rows_of
from phmri.pipeline._long_model import LongModel, make_long_model
from phmri.pipeline._models import first_estimate, fit_units, needs_model, residual_sd
from phmri.pipeline._ordered import P_OF_ORDER, in_deviations
from phmri.pipeline._ratings import Rating, load_ratings
from phmri.pipeline._shuffle import KeptState
from phmri.pipeline._stack import stack_outcomes
from phmri.protocol import Inference, Parallel, Question

__all__ = ["Tested", "load_asked", "space_of", "test_model", "test_question"]

NOT_CONVERGED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A question's data and what inference made of them.

    Parameters
    ----------
    outcomes : LoadedOutcomes
    Y, baseline : ndarray of shape (n_units, n_outcomes)
        As `stack_outcomes` gives them.
    searched : ndarray of bool of shape (n_outcomes,) or None
        The outcomes asked about, where the result is of more than these.
    result : InferenceResult
    estimate : Estimate
        With the standard errors that the result rests on.
    joint : JointEstimate or None
        All contrasts of the question's model, where p-values come from it.
    """

    outcomes: LoadedOutcomes
    Y: Float[np.ndarray, "n_units n_outcomes"]
    baseline: Float[np.ndarray, "n_units n_outcomes"] | None
    searched: Bool[np.ndarray, " n_outcomes"] | None
    result: InferenceResult
    estimate: Estimate
    joint: JointEstimate | None = None


def test_question(inputs: GroupInputs, asked: Asked, state: KeptState | None) -> Tested:
    """Load the outcomes of a question and test them.

    Parameters
    ----------
    inputs : GroupInputs
    asked : Asked
    state : KeptState or None
        What was shuffled before; nothing is kept or resumed without.

    Returns
    -------
    Tested
    """
    question, settings, design = asked.question, asked.settings, asked.design
    if needs_model(question):
        return test_model(inputs, asked)
    # Random fields need the smoothness of the whole map, also to search a small volume.
    narrowed = settings.method == "random_field" and question.where.within is not None
    outcomes = load_asked(inputs, asked, whole=narrowed)
    searched = None
    region = inputs.regions.get(question.where.within or "")
    if narrowed and region is not None and outcomes.mask is not None:
        inside = np.zeros(outcomes.mask.size, dtype=bool)
        inside[region.voxels] = True
        searched = inside[outcomes.mask.ravel()]
    Y, baseline = stack_outcomes(design, outcomes)
    result = infer(
        design,
        Y,
        baseline,
        settings,
        alternative=question.alternative,
        space=space_of(outcomes, settings),
        searched=searched,
        n_threads=inputs.n_threads,
        on_batch=None if state is None else state.keep,
        resume=None if state is None else state.read(),
    )
    estimate = match_estimate(fit_covered(design, Y, baseline, result.tested), result)
    return Tested(
        outcomes=outcomes,
        Y=Y,
        baseline=baseline,
        searched=searched,
        result=result,
        estimate=estimate,
    )


def load_asked(inputs: GroupInputs, asked: Asked, *, whole: bool = False) -> LoadedOutcomes:
    """Load what is asked about.

    Parameters
    ----------
    inputs : GroupInputs
    asked : Asked
    whole : bool, default False
        Of a small volume, the whole map.

    Returns
    -------
    LoadedOutcomes
    """
    question = asked.question
    if question.measure in inputs.protocol.scales:
        ratings = {
            role: tuple(item for item in members if isinstance(item, Rating))
            for role, members in asked.units.runs.items()
        }
        return leave_out_constant(load_ratings(question, ratings))
    runs = {
        role: tuple(item for item in members if isinstance(item, MeasuredRun))
        for role, members in asked.units.runs.items()
    }
    outcomes = load_outcomes(
        inputs.protocol,
        question,
        runs,
        None
        if whole
        else inputs.regions.get(question.where.mean_of or question.where.within or ""),
        min_coverage=asked.settings.min_coverage,
    )
    before = at = None
    if asked.long is not None and isinstance(inputs.protocol.design, Parallel):
        at = np.array([visit == question.session for _, visit in asked.units.visits])
        before = np.array([visit == question.baseline for _, visit in asked.units.visits])
        before = before if before.any() else None
    if before is not None or asked.design.voxelwise_baseline:
        refuse_same_baseline(outcomes, before)
    return leave_out_constant(outcomes, before, at)


def test_model(inputs: GroupInputs, asked: Asked) -> Tested:
    """Fit a model whose own standard errors and degrees of freedom give the p-values.

    Parameters
    ----------
    inputs : GroupInputs
    asked : Asked

    Returns
    -------
    Tested

    Raises
    ------
    DesignError
        The model can be fitted to no outcome, or nobody differs in the session asked about.
    """
    outcomes = load_asked(inputs, asked)
    baseline = None
    if asked.long is not None:
        stack = outcomes.images["periods"]
        model = _with_numbers(inputs, asked, asked.long, outcomes)
        Y = rows_of(model, asked.units.visits, stack)
        baseline = own_baselines(asked.question, model, asked.units.visits, stack)
        if baseline is not None:
            Y[np.isnan(baseline)] = np.nan
        _refuse_same_session(asked.question, model, Y)
        joint = fit_long(asked.question, model, Y, baseline, n_threads=inputs.n_threads)
        sd = residual_sd(Y, model.design.X, baseline, model.design.visits)
    else:
        Y, baseline = stack_outcomes(asked.design, outcomes)
        joint = fit_units(inputs.protocol, asked.question, asked.design, Y, baseline)
        ordered = asked.question.estimator in ORDERED
        sd = residual_sd(Y, asked.design.X, None if ordered else baseline)
    problems = _unfitted(joint, Y, asked.long)
    if problems:
        raise DesignError(*problems)
    estimate, fitted = first_estimate(joint, sd)
    if asked.question.estimator in ORDERED:
        estimate = in_deviations(asked.design, estimate)
    result = judge_estimate(
        estimate,
        asked.settings,
        tested=fitted,
        n_per_outcome=np.isfinite(Y).sum(axis=0),
        alternative=asked.question.alternative,
    )
    if asked.question.estimator in ORDERED:
        result = replace(result, sentences=(P_OF_ORDER[asked.question.estimator],))
    return Tested(
        outcomes=outcomes,
        Y=Y,
        baseline=baseline,
        searched=None,
        result=result,
        estimate=estimate,
        joint=joint,
    )


def _unfitted(
    joint: JointEstimate,
    Y: Float[np.ndarray, "n_rows n_outcomes"],
    long: LongModel | None = None,
) -> tuple[Problem, ...]:
    """Say why no outcome could be fitted, unless none of them varies."""
    left = joint.status >= NOT_CONVERGED
    if not left.all() or not (np.fmax.reduce(Y) > np.fmin.reduce(Y)).any():
        return ()
    still = () if long is None else _still_sessions(long, Y)
    if still:
        return (_same_in(", ".join(still)),)
    searched = int((joint.status == NOT_CONVERGED).sum())
    return (
        Problem(
            what="the model can be fitted to no outcome: participants or sessions are too few for "
            "what it estimates",
            field="estimator",
            found=f"{searched} of {left.size} did not converge, {left.size - searched} are not "
            "estimable",
            expected="more data, fewer covariates, or an estimator with fewer variances",
        ),
    )


def _refuse_same_session(
    question: Question, long: LongModel, Y: Float[np.ndarray, "n_rows n_outcomes"]
) -> None:
    """Refuse a session that nobody differs in: others would lend it their variance unasked.

    Raises
    ------
    DesignError
        That session.
    """
    at = [long.table.sessions[row] == question.session for row in long.design.rows.tolist()]
    asked = Y[at]
    if asked.size and not (np.fmax.reduce(asked) > np.fmin.reduce(asked)).any():
        raise DesignError(_same_in(str(question.session)))


def _same_in(sessions: str) -> Problem:
    return Problem(
        what=f"{SAME_OUTCOME}, or nothing is left of it as error",
        field="session",
        found=sessions,
        expected="an outcome that varies between participants of an arm",
    )


def _still_sessions(long: LongModel, Y: Float[np.ndarray, "n_rows n_outcomes"]) -> tuple[str, ...]:
    """Name the sessions or periods that a model leaves no error in."""
    still = sessions_without_error(long.design, Y)
    at = {
        int(visit): str(long.table.sessions[row])
        for visit, row in zip(long.design.visits, long.design.rows, strict=True)
    }
    return tuple(at[visit] for visit in np.flatnonzero(still).tolist())


def _with_numbers(
    inputs: GroupInputs,
    asked: Asked,
    long: LongModel,
    outcomes: LoadedOutcomes,
) -> LongModel:
    """Put the baselines of one number in the place of those that stood for them."""
    session, of_periods = asked.question.baseline, asked.question.period_baseline
    stack = outcomes.images["baseline-periods" if of_periods else "periods"]
    without = session is None and not of_periods
    if stack.shape[1] != 1 or without or asked.units.present is None:
        return long
    known = dict(zip(asked.units.visits, stack[:, 0].tolist(), strict=True))
    own = {subject: value for (subject, visit), value in known.items() if visit == session}
    return make_long_model(
        inputs.protocol,
        asked.name,
        asked.units.table,
        asked.units.present,
        number=True,
        baseline=own,
        before=known if of_periods else None,
    )


def space_of(outcomes: LoadedOutcomes, settings: Inference) -> Space | None:
    """Say where outcomes lie beside each other.

    Parameters
    ----------
    outcomes : LoadedOutcomes
    settings : Inference

    Returns
    -------
    Volume or Graph or None
        Voxels of a mask, or edges that share a region.
    """
    if outcomes.kind == "map" and outcomes.mask is not None:
        return Volume(mask=outcomes.mask, connectivity=settings.connectivity)
    if outcomes.kind == "edges":
        return make_edge_graph(region_pairs(outcomes.names))
    return None
