"""Blockade and persistence of an effect: judged in one model, shown beside the answer."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float

from phmri.exceptions import DesignError
from phmri.group import (
    KINDS,
    VERDICTS,
    Blockade,
    BootstrapInterval,
    ContrastTest,
    JointEstimate,
    RatioInterval,
    adjusted_bayes_factor,
    bootstrap_interval,
    contrast_test,
    explain,
    interval_bayes_factor,
    judge_blockade,
    persistence,
    resample_units,
)
from phmri.pipeline._asked import Asked, GroupInputs
from phmri.pipeline._models import fit_units
from phmri.pipeline._tested import Tested
from phmri.protocol import Blockade as BlockadeAsked
from phmri.protocol import Protocol, Question
from phmri.report import BlockadeContent, ContrastContent, PersistenceContent, RatioContent

__all__ = ["describe_blockade", "describe_persistence", "extra_statistics", "joint_of"]

N_RESAMPLES = 2000
CLEAR = 3.0
"""Standard errors from which on an effect is large enough to divide by (docs/blockade.md)."""
BLOCKADE_SAID = " Blockade: "
"""Before the verdict, at the end of the sentence of a claim."""
Maps = dict[str, Float[np.ndarray, " n_outcomes"]]
NOT_FITTED = 3
_EFFECTS = ("drug", "pretreated", "difference")
_SESSIONS = ("early", "late")


def joint_of(inputs: GroupInputs, asked: Asked, tested: Tested) -> JointEstimate | None:
    """Give all contrasts of a question's model.

    Parameters
    ----------
    inputs : GroupInputs
    asked : Asked
    tested : Tested

    Returns
    -------
    JointEstimate or None
        None where the question asks for one contrast and shuffling answers it.
    """
    if tested.joint is not None:
        return tested.joint
    if asked.question.blockade is None:
        return None
    return fit_units(inputs.protocol, asked.question, asked.design, tested.Y, tested.baseline)


def _pick(joint: JointEstimate, names: tuple[str, ...]) -> JointEstimate:
    places = [joint.names.index(name) for name in names]
    return replace(
        joint,
        names=names,
        effect=joint.effect[places],
        covariance=joint.covariance[:, places][:, :, places],
        df=joint.df[places],
    )


def _judge(asked: Asked, joint: JointEstimate) -> Blockade | None:
    blocked = asked.question.blockade
    if blocked is None or not set(_EFFECTS) <= set(joint.names):
        return None  # a note of the model says which effect cannot be told
    return judge_blockade(
        _pick(joint, _EFFECTS),
        margin=blocked.margin,
        alpha=asked.settings.alpha,
        alternative=asked.question.alternative,
        confidence=asked.settings.confidence,
        pretreatment_alone=blocked.pretreated_reference is not None,
        two_experiments=blocked.reference_drug is not None,
    )


def extra_statistics(inputs: GroupInputs, asked: Asked, tested: Tested) -> Maps:
    """Give what a question's model says beside the statistic: status, df, blockade.

    Parameters
    ----------
    inputs : GroupInputs
    asked : Asked
    tested : Tested

    Returns
    -------
    dict of str to ndarray of shape (n_outcomes,)
        Of the tested outcomes; by what follows ``stat-`` in the names of files.
    """
    joint = joint_of(inputs, asked, tested)
    if joint is None:
        return {}
    maps: Maps = {}
    if tested.joint is not None:
        maps["df"] = np.broadcast_to(joint.df[0], joint.status.shape).copy()
        if tested.outcomes.kind != "map":  # maps have one of all voxels, tested or not
            maps["status"] = joint.status.astype(np.float64)
    blockade = _judge(asked, joint)
    if blockade is not None:
        maps |= _blockade_maps(blockade)
    if asked.question.persistence is not None and set(_SESSIONS) <= set(joint.names):
        early, late = (joint.names.index(name) for name in _SESSIONS)
        maps |= {"early": joint.effect[early], "late": joint.effect[late]}
    return {name: values[tested.result.tested] for name, values in maps.items()}


def _blockade_maps(blockade: Blockade) -> Maps:
    maps = {
        "drug": blockade.drug.effect,
        "pdrug": blockade.drug.pvalue,
        "pretreated": blockade.pretreated.effect,
        "ppretreated": blockade.pretreated.pvalue,
        "pconjunction": blockade.conjunction_pvalue,
        "attenuation": blockade.attenuation.estimate,
        "attenuationlow": blockade.attenuation.low,
        "attenuationhigh": blockade.attenuation.high,
        "attenuationkind": blockade.attenuation.kind.astype(np.float64),
        "verdict": blockade.verdict.astype(np.float64),
    }
    if blockade.remaining is not None and blockade.removed is not None:
        maps["premaining"] = blockade.remaining.pvalue
        maps["premoved"] = blockade.removed.pvalue
    return maps


def describe_blockade(
    inputs: GroupInputs, asked: Asked, tested: Tested, index: int
) -> BlockadeContent | None:
    """Describe the blockade of one outcome.

    Parameters
    ----------
    inputs : GroupInputs
    asked : Asked
    tested : Tested
    index : int
        Among the tested outcomes.

    Returns
    -------
    BlockadeContent or None
        None where the question is about no blockade, or an effect cannot be estimated.
    """
    question = asked.question
    joint = joint_of(inputs, asked, tested)
    if joint is None or question.blockade is None:
        return None
    place = int(np.flatnonzero(tested.result.tested)[index])
    blockade = _judge(asked, _at(joint, place))
    if blockade is None:
        return None
    drug, names = _effect_names(inputs.protocol, question, question.blockade)
    return BlockadeContent(
        verdict=VERDICTS[blockade.verdict[0]],
        drug=_contrast(names[0], blockade.drug),
        pretreated=_contrast(names[1], blockade.pretreated),
        difference=_contrast(names[2], blockade.difference),
        conjunction_pvalue=float(blockade.conjunction_pvalue[0]),
        attenuation=_ratio(blockade.attenuation),
        bootstrap=_bootstrap(asked, tested) if _is_clear(blockade.drug) else None,
        margin=blockade.margin,
        equivalence=None
        if blockade.remaining is None
        else (
            float(blockade.remaining.pvalue[0]),
            float(blockade.remaining.low[0]),
            float(blockade.remaining.high[0]),
        ),
        bayes_factors=_bayes_factors(asked, tested, blockade, place),
        within_margin=_within_margin(asked, tested, blockade, place),
        bayes_scale=question.blockade.bayes_scale,
        sentences=explain(
            blockade, drug=drug, pretreatment=_pretreatment(inputs.protocol, question)
        ),
    )


def _effect_names(
    protocol: Protocol, question: Question, asked: BlockadeAsked
) -> tuple[str, tuple[str, str, str]]:
    """Name the drug, and its effect, what remained and what was removed of it."""
    drug, pretreated = (_label(protocol, name) for name in question.contrast)
    reference, own, elsewhere = (
        None if name is None else _label(protocol, name)
        for name in (asked.reference, asked.pretreated_reference, asked.reference_drug)
    )
    removed = f"{drug} − {pretreated}"
    if elsewhere is not None:
        return elsewhere, (f"{elsewhere} − {reference}", "effect − removed", removed)
    remained = f"{pretreated} − {reference if own is None else own}"
    return drug, (f"{drug} − {reference}", remained, removed if own is None else "removed")


def _at(joint: JointEstimate, place: int) -> JointEstimate:
    return replace(
        joint,
        effect=joint.effect[:, [place]],
        covariance=joint.covariance[[place]],
        df=joint.df[:, [place]],
        status=joint.status[[place]],
    )


def _label(protocol: Protocol, name: str) -> str:
    arms = getattr(protocol.design, "arms", None)
    treatment = name if arms is None else arms[name].treatment
    return protocol.treatments[treatment].label or treatment.replace("_", " ")


def _pretreatment(protocol: Protocol, question: Question) -> str:
    """Name what the pretreated have been given beside the drug."""
    arms = getattr(protocol.design, "arms", None)
    drug, pretreated = (
        protocol.treatments[name if arms is None else arms[name].treatment]
        for name in question.contrast
    )
    own = {dose.drug for dose in drug.doses}
    added = [dose.drug for dose in pretreated.doses if dose.drug not in own]
    if not added:
        return _label(protocol, question.contrast[1])
    names = (protocol.drugs[name].name or name for name in dict.fromkeys(added))
    return " and ".join(names)


def _contrast(name: str, found: ContrastTest) -> ContrastContent:
    return ContrastContent(
        name=name,
        effect=float(found.effect[0]),
        ci_low=float(found.low[0]),
        ci_high=float(found.high[0]),
        t=float(found.effect[0] / found.se[0]),
        df=float(found.df[0]),
        pvalue=float(found.pvalue[0]),
    )


def _ratio(found: RatioInterval) -> RatioContent:
    return RatioContent(
        estimate=float(found.estimate[0]),
        low=_finite(found.low[0]),
        high=_finite(found.high[0]),
        kind=KINDS[found.kind[0]],
        g=_finite(found.g[0]),
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _bayes_factors(
    asked: Asked, tested: Tested, blockade: Blockade, place: int
) -> dict[str, float]:
    """Give BF10 of the drug's effect, of what remained of it and of what was removed."""
    sd = _standard(asked, tested, blockade, place)
    if sd is None or asked.question.blockade is None:
        return {}
    found = {}
    contrasts = {
        "drug": blockade.drug,
        "remaining": blockade.pretreated,
        "removed": blockade.difference,
    }
    for name, contrast in contrasts.items():
        t = contrast.effect / contrast.se
        n_effective = (sd / contrast.se) ** 2
        found[name] = float(
            adjusted_bayes_factor(
                t, n_effective, contrast.df, scale=asked.question.blockade.bayes_scale
            )[0]
        )
    return found


def _standard(asked: Asked, tested: Tested, blockade: Blockade, place: int) -> float | None:
    """Give the standard deviation that effects are measured in for a Bayes factor."""
    if blockade.status[0] >= NOT_FITTED:
        return None
    d = float(tested.estimate.d[place])
    return _finite(float(tested.estimate.effect[place]) / d) if d else None


def _within_margin(asked: Asked, tested: Tested, blockade: Blockade, place: int) -> float | None:
    """Give the Bayes factor of a remaining effect within the margin against one beyond it."""
    sd, question = _standard(asked, tested, blockade, place), asked.question.blockade
    if sd is None or question is None or question.margin is None:
        return None
    remaining = blockade.pretreated
    try:
        factor = interval_bayes_factor(
            remaining.effect / remaining.se,
            (sd / remaining.se) ** 2,
            remaining.df,
            bound=question.margin / abs(sd),
            scale=question.bayes_scale,
        )
    except DesignError:  # a margin so wide that nothing can lie beyond it
        return None
    return float(factor[0])


def _is_clear(drug: ContrastTest) -> bool:
    """Tell whether an effect is large enough to divide by: else only Fieller's set holds."""
    return bool(abs(drug.effect[0]) >= CLEAR * drug.se[0])


def _bootstrap(asked: Asked, tested: Tested) -> tuple[float, float] | None:
    """Give the BCa interval of the attenuation of one number in a parallel trial."""
    design = asked.design
    if design.estimator not in {"ancova", "change", "post"} or tested.Y.shape[1] != 1:
        return None
    columns = {name.removeprefix("arm:"): k for k, name in enumerate(design.columns)}
    question = asked.question
    if question.blockade is None:
        return None
    own = question.blockade.pretreated_reference or question.blockade.reference
    drug = columns[question.contrast[0]], columns[question.blockade.reference]
    rest = columns[question.contrast[1]], columns[own]
    X = design.X if tested.baseline is None else np.column_stack([design.X, tested.baseline])
    y = tested.Y[:, 0]

    def attenuation(drawn: np.ndarray) -> Float[np.ndarray, " 1"]:
        b = np.linalg.lstsq(X[drawn], y[drawn], rcond=None)[0]
        effect = b[drug[0]] - b[drug[1]]
        left = b[rest[0]] - b[rest[1]]
        return np.array([100.0 * (1.0 - left / effect)])

    strata = tuple(map(str, design.groups))
    try:
        resamples = resample_units(strata, n_resamples=N_RESAMPLES, seed=asked.settings.seed)
        found: BootstrapInterval = bootstrap_interval(
            attenuation, resamples, confidence=asked.settings.confidence
        )
    except DesignError:  # an effect that resamples turn round, or an arm of one participant
        return None
    return float(found.low[0]), float(found.high[0])


def describe_persistence(
    inputs: GroupInputs, asked: Asked, tested: Tested, index: int
) -> PersistenceContent | None:
    """Describe how much of an early effect is left, of one outcome.

    Parameters
    ----------
    inputs : GroupInputs
    asked : Asked
    tested : Tested
    index : int
        Among the tested outcomes.

    Returns
    -------
    PersistenceContent or None
        None where the question asks for one session, or an effect cannot be estimated.
    """
    question, joint = asked.question, joint_of(inputs, asked, tested)
    if question.persistence is None or joint is None or not set(_SESSIONS) <= set(joint.names):
        return None
    place = int(np.flatnonzero(tested.result.tested)[index])
    both = _pick(_at(joint, place), (*_SESSIONS, "difference"))
    found = persistence(both, asked.settings.confidence)
    first, second = (_label(inputs.protocol, name) for name in question.contrast)
    return PersistenceContent(
        early_session=question.persistence.early,
        late_session=question.session or "",
        early=float(both.effect[0, 0]),
        late=float(both.effect[1, 0]),
        ratio=_ratio(found.ratio),
        waning=_contrast("early − late", found.waning),
        effects=tuple(
            _contrast(
                f"{first} − {second} at {session}",
                contrast_test(
                    both.effect[k],
                    np.sqrt(both.covariance[:, k, k]),
                    both.df[k],
                    asked.settings.confidence,
                ),
            )
            for k, session in enumerate((question.persistence.early, question.session))
        ),
    )
