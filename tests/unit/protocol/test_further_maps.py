"""The further maps that a question may name are those that the first level makes."""

import numpy as np
import pytest

from phmri.firstlevel import (
    Drift,
    GammaVariate,
    Noise,
    Pseudoblock,
    ResponseFamily,
    alff,
    degree_centrality,
    exposure_connectivity,
    falff,
    fit_infusion,
    global_connectivity,
    infusion_design,
    reho,
)
from phmri.protocol import Denoising
from phmri.protocol._check_where import further_maps
from phmri.signals import make_cleaning

T_R, N = 2.0, 120
SERIES = 1000.0 + np.random.default_rng(4).normal(size=(N, 8))
CLEANING = make_cleaning(Denoising(strategy="none"), None, n_volumes=N, t_r=T_R)
BAND = (0.02, 0.1)
LOCAL = {
    "alff": lambda: alff(CLEANING, SERIES, t_r=T_R, band_hz=BAND, mean=SERIES.mean(axis=0)),
    "falff": lambda: falff(CLEANING, SERIES, t_r=T_R, band_hz=BAND),
    "reho": lambda: reho(CLEANING, SERIES, np.ones((2, 2, 2), bool), neighbours=7),
    "global_connectivity": lambda: global_connectivity(CLEANING, SERIES, names=()),
    "degree_centrality": lambda: degree_centrality(CLEANING, SERIES, threshold=0.1, names=()),
    "exposure_connectivity": lambda: exposure_connectivity(
        CLEANING,
        SERIES[:, 0],
        SERIES[:, 1:],
        np.linspace(0.0, 1.0, N),
        t_r=T_R,
        window_s=60.0,
        step_s=30.0,
    ),
}
MODELS = {
    "pseudoblock": Pseudoblock(bin_s=30.0),
    "gamma_variate": GammaVariate(peak_min=1.0, shape=2.0),
    "response_family": ResponseFamily(
        onset_min=(0.0, 0.5), delay_min=(0.5, 1.0), shape=(1.0, 3.0)
    ),
}


@pytest.mark.parametrize("kind", LOCAL)
def test_of_local_measures(kind):
    assert tuple(LOCAL[kind]().extras) == further_maps({"kind": kind})


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("model", MODELS)
def test_of_infusion(model, order):
    times = (np.arange(N) + 0.5) * T_R / 60 - 1
    design = infusion_design(MODELS[model], times, drift=Drift(order=order), max_overlap=1.0)
    extras = fit_infusion(
        SERIES, SERIES.mean(axis=0), design, np.empty((N, 0)), noise=Noise(kind="white"),
        shape_level=0.5 if design.course else None,
    ).extras  # fmt: skip
    measure = {"kind": "infusion", "response": {"model": model}, "drift": {"order": order}}

    others = {name for name in extras if not name.startswith("bin")}
    assert others == set(further_maps(measure)) - {"bin01"}
    assert ("bin01" in extras) == ("bin01" in further_maps(measure))
