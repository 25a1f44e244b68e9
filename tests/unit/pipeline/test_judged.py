"""Blockade and persistence of questions: in one model, in words, or not at all."""

import numpy as np
import pytest
import scipy.integrate
import scipy.stats

from phmri.pipeline._asked import ask
from phmri.pipeline._judged import describe_blockade, describe_persistence, extra_statistics
from phmri.pipeline._tested import test_question as answer_asked
from phmri.report import BlockadeContent
from tests.unit.pipeline.measured_trial import (
    N_VOXELS,
    TARGET,
    Trial,
    make_trial,
    parallel,
    question,
)

ARMS = {f"{k:02d}": ("drug", "both", "saline")[k % 3] for k in range(1, 22)}
ROOM = {"where": {"mean_of": "target"}}
EFFECT, LEFT, WEEK = 10.0, 4.0, 3.0
DOSE = {"drug": "x", "route": "oral", "amount": 1, "unit": "mg", "start_min": 0}
BEFORE = {"drug": "y", "route": "oral", "amount": 300, "unit": "mg", "start_min": -90}


def asked(**more: object) -> dict[str, object]:
    return question(
        contrast=["drug", "both"], session="day", estimator="post", role="secondary", **more
    )


BLOCKADE = {"reference": "saline", "margin": 1.0}
QUESTIONS = {
    "blocked": asked(blockade=BLOCKADE, **ROOM) | {"role": "primary"},
    "unclear": asked(blockade=BLOCKADE, **ROOM)
    | {"contrast": ["both", "drug"], "session": "week"},
    "map": asked(blockade=BLOCKADE),
    "plain": asked(**ROOM),
    "lasting": asked(**ROOM)
    | {
        "contrast": ["drug", "saline"],
        "session": "week",
        "baseline": "before",
        "estimator": "clda",
        "persistence": {"early": "day"},
    },
}


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Trial:
    content = parallel(
        drugs={"x": {"name": "xanthazine"}, "y": {"name": "yellamine"}},
        treatments={
            "saline": {"label": "Saline"},
            "drug": {"label": "Drug X", "doses": [DOSE]},
            "both": {"label": "Drug Y and X", "doses": [BEFORE, DOSE]},
        },
        design={
            "kind": "parallel",
            "arms": {arm: {"treatment": arm} for arm in ("saline", "drug", "both")},
        },
        measures={"step": parallel()["measures"]["step"]},  # type: ignore[index]
        questions=QUESTIONS,
    )
    made = make_trial(tmp_path_factory.mktemp("judged"), content, ARMS)
    rng = np.random.default_rng(11)
    shift = {("drug", "day"): EFFECT, ("both", "day"): LEFT, ("drug", "week"): WEEK}

    def write(subject: str, session: str, *which: str) -> np.ndarray:
        values = rng.normal(size=N_VOXELS)
        values[TARGET.voxels] += shift.get((ARMS[subject], session), 0.0)
        return values

    made.write("step", write)
    return made


def blockade_of(trial: Trial, name: str, index: int = 0) -> BlockadeContent | None:
    one = ask(trial.inputs, name)
    return describe_blockade(trial.inputs, one, answer_asked(trial.inputs, one, None), index)


def test_contrasts_are_named_by_treatment(trial: Trial) -> None:
    found = blockade_of(trial, "blocked")
    assert found is not None
    assert found.drug.name == "Drug X − Saline"
    assert found.pretreated.name == "Drug Y and X − Saline"
    assert found.difference.name == "Drug X − Drug Y and X"
    assert found.difference.effect == pytest.approx(found.drug.effect - found.pretreated.effect)
    assert found.drug.effect == pytest.approx(EFFECT, abs=1.5)
    assert found.pretreated.effect == pytest.approx(LEFT, abs=1.5)
    assert found.verdict == "partly blocked"
    assert found.margin == BLOCKADE["margin"]


def test_pretreatment_is_what_was_given_besides(trial: Trial) -> None:
    found = blockade_of(trial, "blocked")
    assert found is not None
    assert any("after yellamine" in sentence for sentence in found.sentences)
    assert not any("after Drug Y" in sentence for sentence in found.sentences)


def test_interval_of_resamples_goes_with_one_number_alone(trial: Trial) -> None:
    number = blockade_of(trial, "blocked")
    place = blockade_of(trial, "map", int(TARGET.voxels[0]))
    assert number is not None
    assert place is not None
    assert number.bootstrap is not None
    assert number.bootstrap[0] < number.attenuation.estimate < number.bootstrap[1]
    assert place.bootstrap is None
    assert set(number.bayes_factors) == {"drug", "remaining", "removed"}
    assert number.bayes_factors["drug"] > 100


def test_evidence_for_the_margin_is_odds_of_posterior_over_prior(trial: Trial) -> None:
    found = blockade_of(trial, "blocked")
    estimate = answer_asked(trial.inputs, ask(trial.inputs, "blocked"), None).estimate
    assert found is not None
    assert found.margin is not None
    left = found.pretreated
    sd, se = estimate.effect[0] / estimate.d[0], left.effect / left.t

    prior = scipy.stats.cauchy(scale=found.bayes_scale)

    def evidence(bound: float) -> float:
        delta = np.linspace(-bound, bound, 100_001)
        likelihood = scipy.stats.nct.pdf(left.t, left.df, delta * sd / se)
        return float(scipy.integrate.trapezoid(prior.pdf(delta) * likelihood, delta))

    margin = found.margin / sd
    within, whole = evidence(margin), evidence(60.0)  # the likelihood is 0 long before
    before = prior.cdf(margin) - prior.cdf(-margin)
    assert found.within_margin == pytest.approx(
        within / (whole - within) * (1 - before) / before, rel=1e-3
    )


def test_maps_of_a_blockade(trial: Trial) -> None:
    one = ask(trial.inputs, "map")
    tested = answer_asked(trial.inputs, one, None)
    maps = extra_statistics(trial.inputs, one, tested)
    assert {len(values) for values in maps.values()} == {N_VOXELS}
    assert (maps["verdict"][TARGET.voxels] > 0).all()
    assert maps["drug"] - maps["pretreated"] == pytest.approx(tested.estimate.effect)
    assert {"premaining", "premoved", "pconjunction", "attenuationlow"} <= set(maps)


def test_plain_question_has_neither(trial: Trial) -> None:
    one = ask(trial.inputs, "plain")
    tested = answer_asked(trial.inputs, one, None)
    assert extra_statistics(trial.inputs, one, tested) == {}
    assert describe_blockade(trial.inputs, one, tested, 0) is None
    assert describe_persistence(trial.inputs, one, tested, 0) is None


def test_persistence_is_late_over_early_in_one_model(trial: Trial) -> None:
    one = ask(trial.inputs, "lasting")
    tested = answer_asked(trial.inputs, one, None)
    found = describe_persistence(trial.inputs, one, tested, 0)
    assert found is not None
    assert (found.early_session, found.late_session) == ("day", "week")
    assert found.early == pytest.approx(EFFECT, abs=1.5)
    assert found.late == pytest.approx(WEEK, abs=1.5)
    assert found.waning.effect == pytest.approx(found.early - found.late)
    assert found.waning.pvalue == pytest.approx(
        2 * scipy.stats.t.sf(found.waning.t, found.waning.df), rel=1e-9
    )
    assert found.ratio.estimate == pytest.approx(found.late / found.early, rel=1e-6)
    assert [effect.name for effect in found.effects] == [
        "Drug X − Saline at day",
        "Drug X − Saline at week",
    ]
    # The question's own contrast is the late one.
    assert tested.estimate.effect[0] == pytest.approx(found.late)
    assert extra_statistics(trial.inputs, one, tested)["late"][0] == pytest.approx(found.late)


def test_no_percentage_is_resampled_of_an_effect_that_may_be_none(trial: Trial) -> None:
    found = blockade_of(trial, "unclear")
    assert found is not None
    assert abs(found.drug.t) < 3.0
    assert found.bootstrap is None
