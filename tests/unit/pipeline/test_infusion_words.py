"""What the methods text says of the drug: model and reference, ke0, window, drift, noise."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from phmri.pipeline._infusion_words import describe_curve, describe_settings
from phmri.pipeline._job import ExposureCurve
from phmri.protocol import Protocol
from tests.e2e.first_level_trial import base_document

CURVE = ExposureCurve(
    values_ng_ml=np.ones(3),
    typical_ng_ml=np.ones(3),
    peak_ng_ml=512.34,
    at_effect_site=False,
    source="kamp (arterial), doses as planned",
)


def protocol(measure: dict[str, Any] | None = None, **exposure: object) -> Protocol:
    document = base_document()
    document["measures"]["bins"] |= measure or {}
    document["exposures"]["plasma"] |= exposure
    return Protocol.model_validate(document)


@pytest.mark.parametrize(
    ("measure", "says"),
    [
        (
            {"response": {"model": "pseudoblock", "bin_s": 30, "window_min": [1, 2]}},
            "set against all volumes before it, and averaged over the window from 1 to 2 min.",
        ),
        (
            {"response": {"model": "pseudoblock", "bin_s": 30, "baseline_min": 1}},
            "against the 1 min before it, and averaged over all time after it.",
        ),
        ({"response": {"model": "ramp", "end_min": 2}}, "straight rise from 0 to 2 min"),
        (
            {
                "response": {
                    "model": "response_family",
                    "onset_min": [0, 0.5],
                    "delay_min": [0.5, 1],
                    "shape": [1, 3],
                }
            },
            "onset 0 to 0.5 min, 0.5 to 1 min from onset to peak and shape 1 to 3.",
        ),
        (
            {"drift": {"order": 2, "source": "baseline", "max_overlap": 0.99}},
            "polynomial of order 2, informed by the volumes before the infusion alone",
        ),
        ({"drift": {"order": 0, "max_overlap": 0.99}}, "No drift was modelled."),
        ({"noise": {"kind": "arma11"}}, "ARMA(1,1) with coefficients of each voxel."),
        (
            {"noise": {"kind": "ar", "order": 3}},
            "AR(3) with coefficients of each voxel, drawn towards their mean over the brain.",
        ),
        (
            {"noise": {"kind": "ar", "scope": "tissue"}},
            "AR(1) with coefficients shared by the voxels of each tissue.",
        ),
        ({"noise": {"kind": "white"}}, "The noise was taken for white."),
    ],
)
def test_settings_of_an_infusion_measure(measure: dict[str, Any], says: str) -> None:
    assert says in describe_settings(protocol(measure).measures["bins"])


def test_an_exposure_is_told_with_its_model_and_reference() -> None:
    told = describe_curve(
        protocol(model="kamp"),
        "plasma",
        [CURVE, CURVE, replace(CURVE, source="kamp (arterial), doses as given (sidecar)")],
    )
    assert "'kamp' (Kamp et al. (2020)" in told
    assert "[doi:10.1097/ALN.0000000000003577]" in told
    assert "doses as planned: 2 runs; doses as given (sidecar): 1 run." in told
    assert "512.3 ng/mL" in told
    assert "ke0" not in told


def test_an_effect_site_is_told_with_its_rate_and_a_model_of_ones_own_with_its_numbers() -> None:
    told = describe_curve(protocol(ke0_per_min=0.25), "plasma", [CURVE])
    assert "at the site of effect, behind plasma (blood: venous) by ke0 0.25 per min" in told
    assert "the protocol's own, volumes 50 L, clearances 600 L/h for 70 kg" in told


def test_other_measures_say_nothing_of_it() -> None:
    document = base_document()
    seed = {"kind": "seed_to_voxel", "scan": "rest", "denoising": "motion", "seed": "seed"}
    document["measures"]["coupling"] = seed
    assert describe_settings(Protocol.model_validate(document).measures["coupling"]) == ""
