"""What a protocol asks, sorted by what its power depends on."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from phmri.exceptions import SimulationError
from phmri.protocol import (
    Association,
    Inference,
    Parallel,
    Protocol,
    Question,
    RoiToRoi,
    SeedToParcel,
    inference_of,
)
from phmri.simulation.power._effects import ASSOCIATIONS, Regime, regime_of
from phmri.simulation.power._layout import sequences_of

__all__ = ["Asked", "AskedAssociation", "ask_associations", "ask_questions", "outcome_label"]

Kind = Literal["difference", "map", "blockade"]
SHARED = {"joint_maximum", "holm", "hochberg"}
WITHOUT_BASELINES = (
    "Planned without the baselines of periods, which tell nothing where all sessions of a person "
    "correlate alike."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Questions whose power is one and the same.

    Parameters
    ----------
    names : tuple of str
        In the protocol's order.
    kind : {"difference", "map", "blockade"}
        Of one number; of many outcomes; drug, pretreated drug and reference together.
    question : Question
        The first of them.
    outcome : str
        Measure, map and place of the first, as a run's analysis table calls it.
    settings : Inference
        Of the first.
    regime : Regime
        Effects of such a measure.
    alpha : float
        Error rate of each.
    notes : tuple of str
        What must be known of the error rate.
    parcels : bool
        Many outcomes that are no voxels.
    planned : int or None
        Participants that the protocol plans, per arm (the smallest that counts) or in all.
    """

    names: tuple[str, ...]
    kind: Kind
    question: Question
    outcome: str
    settings: Inference
    regime: Regime
    alpha: float
    notes: tuple[str, ...]
    parcels: bool
    planned: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedAssociation:
    """Associations whose power is one and the same.

    Parameters
    ----------
    names : tuple of str
        In the protocol's order.
    association : Association
        The first of them.
    settings : Inference
        Of the first.
    regime : Regime
        Correlations to plan with.
    alpha : float
        Error rate of each.
    notes : tuple of str
        What must be known of the error rate.
    n_groups : int
        Arms whose means are taken out.
    planned : int or None
        Participants that the protocol plans, in all these arms.
    """

    names: tuple[str, ...]
    association: Association
    settings: Inference
    regime: Regime
    alpha: float
    notes: tuple[str, ...]
    n_groups: int
    planned: int | None


def outcome_label(question: Question | Association) -> str:
    """Name an outcome as the analysis table of a run does.

    Parameters
    ----------
    question : Question or Association

    Returns
    -------
    str
        Measure, map, denoising and place, separated by colons.
    """
    where = question.where.mean_of or question.where.at
    denoising = question.denoising if isinstance(question, Question) else None
    parts = (question.measure, question.map, denoising, where)
    return ":".join(part for part in parts if part)


def ask_questions(
    protocol: Protocol, alpha: float | None, *, apart: frozenset[str] = frozenset()
) -> tuple[tuple[Asked, ...], dict[str, str]]:
    """Sort the questions of a protocol by what their power depends on.

    Parameters
    ----------
    protocol : Protocol
    alpha : float or None
        Error rate in place of the protocol's.
    apart : frozenset of str
        Outcomes of which a pilot says more than of others.

    Returns
    -------
    asked : tuple of Asked
        In the protocol's order.
    refused : dict of str to str
        Question -> why the trial cannot answer it.
    """
    found: dict[str, Asked] = {}
    refused: dict[str, str] = {}
    for name, question in protocol.questions.items():
        try:
            one = _ask(protocol, name, question, alpha)
        except SimulationError as error:
            refused[name] = "; ".join(str(problem) for problem in error.problems)
            continue
        own = outcome_label(question) if outcome_label(question) in apart else ""
        key = repr(
            (
                one.kind,
                question.estimator,
                question.errors,
                question.alternative,
                question.baseline is None,
                question.period_baseline,
                question.session is None,
                question.contrast if one.kind == "blockade" else None,
                question.blockade,
                _lengths(question, protocol),
                one.regime.name,
                one.alpha,
                one.settings,
                one.parcels,
                one.planned,
                own,
            )
        )
        kept = found.setdefault(key, one)
        if kept is not one:
            found[key] = replace(kept, names=(*kept.names, name))
    return tuple(found.values()), refused


def _lengths(question: Question, protocol: Protocol) -> tuple[int, ...]:
    """Give the periods of the sequences that answer a question."""
    design = protocol.design
    if isinstance(design, Parallel):
        return ()
    return tuple(len(design.sequences[name].treatments) for name in sequences_of(question, design))


def _ask(protocol: Protocol, name: str, question: Question, alpha: float | None) -> Asked:
    settings = inference_of(protocol, name)
    rate, notes = _alpha_of(protocol, question, settings.alpha)
    own = (WITHOUT_BASELINES,) if question.period_baseline else ()
    many = _many(protocol, question)
    kind: Kind = "difference"
    if question.blockade is not None:
        kind = "blockade"
    elif many:
        kind = "map"
    return Asked(
        names=(name,),
        kind=kind,
        question=question,
        outcome=outcome_label(question),
        settings=settings,
        regime=regime_of(protocol, question.measure),
        alpha=rate if alpha is None else alpha,
        notes=(*own, *(notes if alpha is None else ())),
        parcels=isinstance(protocol.measures.get(question.measure), SeedToParcel | RoiToRoi),
        planned=_planned(protocol, question),
    )


def _many(protocol: Protocol, asked: Question | Association) -> bool:
    measure = protocol.measures.get(asked.measure)
    if measure is None or asked.where.mean_of is not None or asked.where.at is not None:
        return False
    return not (isinstance(measure, RoiToRoi) and measure.summary == "global")


def _alpha_of(
    protocol: Protocol, asked: Question | Association, alpha: float
) -> tuple[float, tuple[str, ...]]:
    """Give the error rate that a question is sure to have within its family."""
    family = protocol.families.get(asked.family or "")
    if family is None or asked.family is None:
        return alpha, ()
    families = {name: one.family for name, one in protocol.questions.items()}
    families |= {name: one.family for name, one in protocol.associations.items()}
    members = [name for name, own in families.items() if own == asked.family]
    if family.correction in SHARED and len(members) > 1:
        note = (
            f"alpha {alpha:g} is shared by the {len(members)} questions of the family "
            f"{asked.family}: each is planned at {alpha:g}/{len(members)}, the least it gets."
        )
        return alpha / len(members), (note,)
    if family.correction == "graph":
        note = (
            f"Of the shares of alpha in the family {asked.family} only that of the start counts."
        )
        weights = [family.weights.get(name, 0.0) for name in members]
        least = min((weight for weight in weights if weight > 0), default=1.0)
        return alpha * least, (note,)
    if family.correction == "fixed_sequence":
        note = "Tested only once the questions before it in its family are answered."
        return alpha, (note,)
    return alpha, ()


def _planned(protocol: Protocol, question: Question) -> int | None:
    design = protocol.design
    if isinstance(design, Parallel):
        counts = [arm.n_planned for arm in design.arms.values()]
        return min((n for n in counts if n is not None), default=None)
    names = sequences_of(question, design)
    numbers = [design.sequences[name].n_planned for name in names]
    known = [n for n in numbers if n is not None]
    return sum(known) if len(known) == len(numbers) else None


def ask_associations(protocol: Protocol, alpha: float | None) -> tuple[AskedAssociation, ...]:
    """Sort the associations of a protocol by what their power depends on.

    Parameters
    ----------
    protocol : Protocol
    alpha : float or None
        Error rate in place of the protocol's.

    Returns
    -------
    tuple of AskedAssociation
        Each as of one number chosen beforehand.
    """
    found: dict[str, AskedAssociation] = {}
    for one in _associations(protocol, alpha):
        key = repr(
            (
                one.association.method,
                one.association.alternative,
                one.association.contrast is None and one.association.baseline is None,
                bool(one.association.repeated),
                one.n_groups,
                one.alpha,
                one.planned,
                one.settings,
            )
        )
        kept = found.get(key)
        found[key] = one if kept is None else replace(kept, names=kept.names + one.names)
    return tuple(found.values())


def _associations(protocol: Protocol, alpha: float | None) -> Iterator[AskedAssociation]:
    design = protocol.design
    for name, item in protocol.associations.items():
        settings = inference_of(protocol, name)
        rate, notes = _alpha_of(protocol, item, settings.alpha)
        if _many(protocol, item):
            notes = (*notes, "Planned for one number; a map of correlations needs more people.")
        if item.repeated:
            notes = (*notes, "Planned for one number of each person; repeated ones tell more.")
        n_groups, planned = 1, None
        if isinstance(design, Parallel):
            groups = item.groups or tuple(design.arms)
            n_groups = len(groups)
            numbers = [design.arms[group].n_planned for group in groups]
            known = [n for n in numbers if n is not None]
            planned = sum(known) if len(known) == len(numbers) else None
        yield AskedAssociation(
            names=(name,),
            association=item,
            settings=settings,
            regime=ASSOCIATIONS,
            alpha=rate if alpha is None else alpha,
            notes=notes if alpha is None else (),
            n_groups=n_groups,
            planned=planned,
        )
