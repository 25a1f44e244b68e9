import json
from dataclasses import replace

import numpy as np
import pytest

from phmri.exceptions import InferenceError
from phmri.group import (
    UnitDesign,
    UnitTable,
    exchange_within,
    fit_contrast,
    make_unit_design,
)
from phmri.inference import (
    Outcomes,
    Volume,
    claim_from_dict,
    claim_to_dict,
    infer,
    judge_estimate,
    make_claim,
    make_refusal,
    permute,
)
from phmri.inference.claims._notes import notes_beside
from phmri.inference.claims._wording import format_interval, format_p, signed
from phmri.protocol import Crossover, Inference, Parallel, Question

SETTINGS = Inference(n_permutations=400)


def answer(shift, *, kind="scalar", n_outcomes=1, paired=False, settings=SETTINGS, **changes):
    n = 20
    rng = np.random.default_rng(1)
    question = Question(
        text="Does ketamine change it?",
        role=changes.pop("role", "primary"),
        measure="m",
        contrast=("KET", "PLA"),
        session=None if paired else "s",
        estimator="crossover" if paired else "post",
        alternative=changes.pop("alternative", "two-sided"),
    )
    if paired:
        sequences = {"KP": {"treatments": ("KET", "PLA")}, "PK": {"treatments": ("PLA", "KET")}}
        trial = Crossover(kind="crossover", sequences=sequences, order="unknown")
    else:
        trial = Parallel(kind="parallel", arms={a: {"treatment": a} for a in ("KET", "PLA")})
    groups = ("unknown",) * n if paired else ("KET", "PLA") * (n // 2)
    table = UnitTable(
        subjects=tuple(f"{k:02d}" for k in range(n)),
        groups=groups,
        strata=("",) * n,
        covariates={},
    )
    design = make_unit_design(question, trial, table)
    Y = rng.normal(size=(n, n_outcomes))
    Y[:, 0] += shift * (1 if paired else (np.arange(n) % 2 == 0))
    outcomes = Outcomes(
        kind=kind,
        unit="Fisher z",
        measure="connectivity of pgACC with dmPFC",
        labels=("ketamine", "placebo"),
        **changes,
    )
    estimate = fit_contrast(design, Y)
    result = permute(design, Y, None, settings, alternative=question.alternative)
    return make_claim(
        "q1", question, design, estimate, result, outcomes=outcomes, settings=settings
    )


def test_scalar_found_up_and_down():
    up, down = answer(3.0), answer(-3.0)
    assert up.verdict == down.verdict == "found"
    assert up.sentence.startswith(
        "Ketamine raised connectivity of pgACC with dmPFC compared with placebo (Fisher z +"
    )
    assert "Ketamine lowered" in down.sentence
    assert "95 % CI" in up.sentence
    assert f"t(18) = {up.peaks[0].t:.2f}" in up.sentence
    assert "p = 0.0025, the smallest that 400 shufflings can give" in up.sentence
    assert up.n_per_group == {"KET": 10, "PLA": 10}
    assert (up.n_significant, up.n_outcomes, up.corrected_over) == (1, 1, "")
    assert any("Standardised effect d = +" in note for note in up.notes)
    assert any("not adjusted across questions" in sentence for sentence in up.sentences)


def test_scalar_not_found_is_not_called_absent():
    claim = answer(0.0)
    assert claim.verdict == "not found"
    assert claim.sentence.startswith("No difference in connectivity")
    assert "this is not evidence of no effect: the interval reaches from" in claim.sentence


def test_no_interval_reaches_beyond_what_there_can_be():
    free, cut = answer(3.0), answer(3.0, limits=(-0.5, 3.0))
    assert free.peaks[0].ci_high > 3.0
    assert cut.peaks[0].ci_high == 3.0
    assert cut.peaks[0].ci_low == free.peaks[0].ci_low
    assert " to 3.00; t(18)" in cut.sentence


@pytest.mark.parametrize(
    ("alternative", "words"), [("greater", "No increase of"), ("less", "No decrease of")]
)
def test_one_sided_questions_say_so(alternative, words):
    shift = -1.0 if alternative == "greater" else 1.0
    sentence = answer(shift, alternative=alternative).sentence
    assert sentence.startswith(words)
    assert "; one-sided p = " in sentence
    assert "95 % two-sided CI" in sentence
    assert "two-sided interval reaches" in sentence
    found = answer(-4 * shift, alternative=alternative).sentence
    assert "; one-sided p = " in found
    assert "sided" not in answer(3.0).sentence


def test_lost_order_claims_a_difference_not_a_cause():
    claim = answer(3.0, paired=True)
    assert claim.sentence.startswith(
        "Connectivity of pgACC with dmPFC was higher under ketamine than under placebo"
    )
    assert any("order of treatments is not recorded" in note for note in claim.notes)


def test_exploratory_is_said_first():
    assert answer(3.0, role="exploratory").sentence.startswith("Exploratory: Ketamine raised")


def test_map_found_marks_the_peak_as_chosen():
    positions = np.arange(36.0).reshape(12, 3)
    claim = answer(4.0, kind="map", n_outcomes=12, positions_mm=positions, peaks=(0, 5))
    assert "in 1 of 12 voxels (raised in 1; family-wise p at most 0.05)" in claim.sentence
    assert "(0, 1, 2) mm" in claim.sentence
    assert "biased away from zero" in claim.sentence
    assert [peak.index for peak in claim.peaks] == [0, 5]
    assert claim.peaks[0].position_mm == (0.0, 1.0, 2.0)
    assert claim.corrected_over == "12 voxels"


def test_edges_not_found_name_the_strongest():
    names = tuple(f"A~B{k}" for k in range(15))
    claim = answer(0.0, kind="edges", n_outcomes=15, names=names)
    assert claim.verdict == "not found"
    assert "in any of 15 edges (smallest p_FWE" in claim.sentence
    assert claim.peaks[0].name in claim.sentence
    assert len(claim.peaks) == 10
    heights = [abs(peak.t) for peak in claim.peaks]
    assert heights == sorted(heights, reverse=True)


def test_too_few_shufflings_are_refused():
    with pytest.raises(InferenceError, match=r"the smallest attainable p is 0\.01"):
        answer(9.0, settings=Inference(n_permutations=100, alpha=0.001))


@pytest.mark.parametrize("shift", [0.0, 3.0])
def test_claims_survive_json(shift):
    claim = answer(shift, kind="map", n_outcomes=4, positions_mm=np.ones((4, 3)))
    text = json.dumps(claim_to_dict(claim), allow_nan=False)
    assert claim_from_dict(json.loads(text)) == claim
    endless = replace(claim, threshold=float("inf"))
    text = json.dumps(claim_to_dict(endless), allow_nan=False)
    assert claim_from_dict(json.loads(text)) == endless


def test_reading_a_claim_names_every_wrong_key():
    values = claim_to_dict(answer(3.0))
    del values["df"]
    values["extra"] = 1
    values["peaks"][0]["colour"] = "red"
    with pytest.raises(InferenceError) as caught:
        claim_from_dict(values)
    assert {p.field for p in caught.value.problems} == {
        "claim.df",
        "claim.extra",
        "peaks[0].colour",
    }


def test_refusal_gives_the_reason_and_no_number():
    question = Question(
        text="t", role="primary", measure="m", contrast=("A", "B"), estimator="post"
    )
    outcomes = Outcomes(kind="map", unit="Fisher z", measure="it", labels=("A", "B"))
    claim = make_refusal(
        "q1", question, "too few\nno baseline.", outcomes=outcomes, settings=SETTINGS
    )
    assert claim.sentence == "This question was not answered: too few; no baseline."
    assert (claim.verdict, claim.peaks, claim.n_outcomes) == ("refused", (), 0)
    assert claim_from_dict(json.loads(json.dumps(claim_to_dict(claim)))) == claim


def test_mismatched_outcomes_are_refused_together():
    with pytest.raises(InferenceError) as caught:
        answer(
            0.0, kind="map", n_outcomes=4, names=("a",), positions_mm=np.ones((3, 3)), peaks=(9,)
        )
    assert {p.field for p in caught.value.problems} == {"names", "positions_mm", "peaks"}
    with pytest.raises(InferenceError, match="scalar"):
        answer(0.0, n_outcomes=2)


def test_p_is_never_written_as_zero_or_rounded_over_alpha():
    texts = {
        p: format_p(p) for p in (1e-300, 0.0002, 0.00099, 0.0312, 0.0499, 0.0501, 0.9999, 1.0)
    }
    assert texts == {
        1e-300: "< 0.0001",
        0.0002: "= 0.0002",
        0.00099: "= 0.0010",
        0.0312: "= 0.031",
        0.0499: "= 0.0499",
        0.0501: "= 0.0501",
        0.9999: "> 0.99",
        1.0: "= 1",
    }


def test_intervals_get_the_digits_they_deserve():
    assert format_interval(0.0312, 0.0294, 0.033, 0.95) == "+0.0312, 95 % CI 0.0294 to 0.0330"
    assert format_interval(-46.6, -70.3, -22.9, 0.9) == "−46.60, 90 % CI −70.30 to −22.90"


def test_numbers_in_sentences_have_one_format():
    assert [signed(value) for value in (-0.254, -0.001, 1.0)] == ["−0.25", "0.00", "1.00"]
    assert signed(0.0, plus=True) == "+0.00"
    positions = np.tile([-4.2, 33.8, -0.3], (1200, 1))
    settings = Inference(n_permutations=2000)
    claim = answer(
        -5.0, kind="map", n_outcomes=1200, positions_mm=positions, peaks=(0,), settings=settings
    )
    assert "of 1,200 voxels" in claim.sentence
    assert "(−4, 34, 0) mm" in claim.sentence
    assert "2,000 random permutations" in " ".join(claim.sentences)
    assert "-" not in claim.sentence.replace("family-wise", "")
    assert claim.corrected_over == "1,200 voxels"


def test_joint_correction_of_one_number_is_named():
    assert "; p_FWE = " in answer(3.0, corrected_over="1 outcome and the question q2").sentence
    assert "; p = " in answer(3.0).sentence


HELD = UnitDesign(
    estimator="post",
    subjects=tuple(f"{k:02d}" for k in range(24)),
    groups=("A", "B", "C") * 8,
    X=np.tile(np.eye(3), (8, 1)),
    columns=("arm:A", "arm:B", "arm:C"),
    contrast=np.array([1.0, -1.0, 0.0]),
    voxelwise_baseline=False,
    exchangeability=exchange_within(np.tile([0, 0, -1], 8)),
    notes=(),
    sentences=(),
)


def notes_of(method, **settings):
    """Answer a rough map that responds nowhere, with an arm that is held."""
    volume = Volume(mask=np.ones((6, 6, 6), dtype=bool), connectivity=18)
    Y = np.random.default_rng(4).normal(size=(24, 216))
    settings = Inference(method=method, n_permutations=200, **settings)
    question = Question(
        text="q", role="primary", measure="m", contrast=("A", "B"), session="s", estimator="post"
    )
    result = infer(HELD, Y, None, settings, space=volume)
    outcomes = Outcomes(kind="map", unit="u", measure="m", labels=("A", "B"))
    return make_claim(
        "q", question, HELD, fit_contrast(HELD, Y), result, outcomes=outcomes, settings=settings
    )


def held_notes(columns, contrast, estimator="post", errors="model", n_outcomes=1):
    """Give what is said of variances that arms share."""
    design = replace(
        HELD,
        estimator=estimator,
        X=np.eye(24, len(columns)),
        columns=columns,
        contrast=np.array(contrast),
    )
    estimate = fit_contrast(HELD, np.random.default_rng(5).normal(size=(24, n_outcomes)))
    settings = Inference(method="holm")
    result = judge_estimate(
        estimate,
        settings,
        tested=np.ones(n_outcomes, dtype=bool),
        n_per_outcome=np.full(n_outcomes, 24),
    )
    outcomes = Outcomes(
        kind="scalar" if n_outcomes == 1 else "map", unit="u", measure="m", labels=("A", "B")
    )
    notes = notes_beside(design, estimate, result, outcomes, settings, errors=errors)
    return [note for note in notes if " rest" in note]


def test_robust_errors_share_no_variance_but_d_does():
    (note,) = held_notes(HELD.columns, HELD.contrast, errors="hc3")
    assert note.startswith("d rests on one residual variance of all arms")
    assert "where C varies" in note


def test_held_are_arms_and_never_their_sessions():
    columns = ("arm:A:late", "arm:B:late", "arm:C:late", "arm:A:end", "arm:B:end", "arm:C:end")
    (note,) = held_notes(columns, [0.0, 0, 0, 1, -1, 0], "mmrm")
    assert note == (
        "p-value, interval and d rest on one covariance of the sessions for all arms: they are "
        "too sure where C varies less than the compared arms, not sure enough where more."
    )
    (note,) = held_notes(columns, [0.0, 0, 0, 1, -1, 0], "mixed", n_outcomes=3)
    assert "d and q-value rest on the two variances that all arms and sessions share" in note
    without = tuple(name for name in columns if ":C:" not in name)
    assert held_notes(without, [0.0, 0, 1, -1], "mmrm") == []


def test_nothing_is_said_of_shufflings_that_were_not_made():
    for method in ("fdr", "random_field"):
        notes = " ".join(notes_of(method).notes)
        assert "huffling" not in notes
        assert "p-value, interval, d and q-value rest on one residual variance" in notes
    assert "p-values by shuffling hold either way" in " ".join(notes_of("voxel").notes)


def test_doubts_of_random_fields_name_the_columns_they_concern():
    claim = notes_of("voxel", cluster_p=0.01)
    assert not any("Warning" in text for text in (*claim.notes, *claim.sentences))
    doubts = [note for note in claim.notes if note.startswith("p random field and q topological")]
    assert len(doubts) == 2
    assert "on which the answer does not rest: clusters were formed at p = 0.01" in doubts[0]
    warned = notes_of("random_field", cluster_p=0.01)
    assert sum(text.startswith("Warning: ") for text in warned.sentences) == 2
    assert not any("does not rest" in note for note in warned.notes)


def test_the_surest_outcome_is_listed_whatever_else_is():
    """Peaks of a map are local maxima: the outcome that decides need not be among them."""
    names = tuple(f"e{k}" for k in range(6))
    claim = answer(3.0, kind="edges", n_outcomes=6, names=names, peaks=(3, 4))
    assert claim.peaks[0].index == 0
    assert {peak.index for peak in claim.peaks} == {0, 3, 4}
    assert claim.least_pvalue == claim.peaks[0].pvalue_corrected
    assert answer(0.0).least_pvalue == answer(0.0).peaks[0].pvalue_corrected
