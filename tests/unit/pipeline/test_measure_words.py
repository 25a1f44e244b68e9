"""What measures are called."""

import pytest
from pydantic import TypeAdapter

from phmri.pipeline._measure_words import describe_measure, name_outcome, weights_in_words
from phmri.protocol import Measure, Question, Where

BASE = {"scan": "rest", "denoising": "motion"}
BINS = {"model": "pseudoblock", "bin_s": 30}
LOAD = {"contrast": {"two_back": 1, "zero_back": -1}}
KINDS: dict[str, tuple[dict[str, object], str]] = {
    "seed_to_voxel": ({"seed": "acc"}, "connectivity of acc with target"),
    "seed_to_parcel": ({"seed": "acc", "parcels": "a"}, "connectivity of acc with target"),
    "roi_to_roi": ({"regions": ["acc", "b"]}, "target connectivity between regions"),
    "infusion": (
        {"response": BINS, "drift": {"max_overlap": 0.9}},
        "response to the infusion in target",
    ),
    "task": (LOAD, "signal change for two_back − zero_back in target"),
    "ppi": (
        {"seed": "acc", **LOAD},
        "task-dependent connectivity of acc with target, two_back − zero_back",
    ),
    "beta_series": (
        {"seed": "acc", **LOAD},
        "beta-series connectivity of acc with target, two_back − zero_back",
    ),
    "alff": ({"band_hz": [0.01, 0.1]}, "amplitude of low-frequency fluctuations in target"),
    "falff": (
        {"band_hz": [0.01, 0.1]},
        "fractional amplitude of low-frequency fluctuations in target",
    ),
    "reho": ({}, "regional homogeneity in target"),
    "global_connectivity": ({"sensitivity": ["gsr"]}, "global connectivity in target"),
    "degree_centrality": ({"threshold_r": 0.2}, "degree centrality in target"),
    "dual_regression": (
        {"networks": "n.nii.gz", "network": 2, "space": "MNI"},
        "connectivity of network 2 with target",
    ),
    "receptor_maps": (
        {"maps": {"ht2a": "a.nii.gz"}, "receptor": "ht2a", "space": "MNI"},
        "ht2a-related connectivity in target",
    ),
    "exposure_connectivity": (
        {"seed": "acc", "exposure": "plasma", "window_s": 60, "step_s": 20},
        "change with exposure of the connectivity of acc with target",
    ),
}


def make(kind: str, **more: object) -> Measure:
    content = {"kind": kind, **BASE, **KINDS[kind][0], **more}
    measure: Measure = TypeAdapter(Measure).validate_python(content)
    return measure


def ask(**more: object) -> Question:
    content = {
        "text": "?",
        "role": "primary",
        "measure": "m",
        "contrast": ("a", "b"),
        "estimator": "post",
    }
    return Question.model_validate(content | more)


@pytest.mark.parametrize("kind", KINDS)
def test_outcome_reads_inside_a_sentence(kind: str) -> None:
    where = Where(at="target") if kind == "roi_to_roi" else Where(mean_of="target")
    assert name_outcome(make(kind), ask(where=where)) == KINDS[kind][1]
    assert "target" not in name_outcome(make(kind), ask())


def test_further_map_and_denoising_are_named() -> None:
    asked = ask(map="bin02", denoising="gsr")
    assert name_outcome(make("infusion"), asked) == "response to the infusion (bin02, gsr)"


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"a": 1.0, "b": -1.0}, "a − b"),
        ({"a": -0.5, "b": 0.0, "c": 2.0}, "−0.5 a + 2 c"),
        ({"a:speed": 1.0}, "a:speed"),
        ({}, ""),
    ],
)
def test_weights_read_as_a_sum(weights: dict[str, float], words: str) -> None:
    assert weights_in_words(weights) == words


@pytest.mark.parametrize("kind", KINDS)
def test_every_measure_has_a_sentence_without_gaps(kind: str) -> None:
    sentence = describe_measure(make(kind))
    assert sentence.endswith(".")
    assert not set("{}") & set(sentence)
    assert "None" not in sentence


@pytest.mark.parametrize(
    ("noise", "words"),
    [
        ({"kind": "white"}, "white noise"),
        ({"kind": "ar", "order": 3}, "AR(3)"),
        ({"kind": "arma11"}, "ARMA(1,1)"),
    ],
)
def test_noise_is_told(noise: dict[str, object], words: str) -> None:
    for kind in ("infusion", "task", "ppi"):
        assert words in describe_measure(make(kind, noise=noise))


def test_parcels_are_told() -> None:
    assert "every parcel of atlas" in describe_measure(make("task", parcels="atlas"))
    assert "every voxel" in describe_measure(make("task"))


@pytest.mark.parametrize(
    ("condition", "called", "described"),
    [
        ("two_back", " during two_back", "within the blocks of two_back:"),
        (
            {"two_back": 1, "zero_back": -1},
            " by condition, two_back − zero_back",
            "the sum two_back − zero_back of their z",
        ),
    ],
)
def test_blocks_are_told(condition: object, called: str, described: str) -> None:
    for kind in ("seed_to_voxel", "seed_to_parcel", "roi_to_roi"):
        measure = make(kind, condition=condition)
        where = Where(at="target") if kind == "roi_to_roi" else Where(mean_of="target")
        assert name_outcome(measure, ask(where=where)) == KINDS[kind][1] + called
        assert described in describe_measure(measure)
        assert "[doi:10.1089/brain.2012.0073]" in describe_measure(measure)
        assert "brain.2012.0073" not in describe_measure(make(kind))
