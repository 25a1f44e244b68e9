"""Every first-level measure by the one command, held to NumPy and to what was planted."""

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import scipy.integrate
import scipy.stats
from numpy.testing import assert_allclose

from tests.e2e.first_level_trial import (
    ARMS,
    BOX,
    N_VOLUMES,
    OTHER_MM,
    PLANTED_PERCENT,
    SEED_MM,
    SUBJECTS,
    TARGET_MM,
    WEIGHTS,
    InfusionTrial,
    base_document,
    bin_columns,
    concentration,
    curve,
    inside,
    line,
    minutes,
    ols,
    parcels,
    question,
    spm_regressor,
    write_trial,
)
from tests.e2e.trees import (
    MOTION,
    SPACE,
    T_R,
    call,
    map_of,
    run_all,
    statistics_of,
)

BY_LOAD = {"two_back": 1, "zero_back": -1}
NO_DRIFT = {"order": 0, "max_overlap": 0.999}
RESPONSES = {
    "step": {"model": "step", "onset_min": 0.25},
    "ramp": {"model": "ramp", "end_min": 1},
    "gamma": {"model": "gamma_variate", "peak_min": 1, "shape": 2},
    "family": {
        "model": "response_family",
        "onset_min": [0, 0.5],
        "delay_min": [0.3, 1],
        "shape": [1, 4],
        "bin_s": 30,
    },
    "effectsite": {"model": "exposure", "exposure": "brain"},
}


def full_document() -> dict[str, dict]:
    """Give a protocol with a measure of every kind."""
    document = base_document()
    document["denoising"] |= {
        "task": {"strategy": "6motion", "highpass_hz": 0.01},
        "smooth": {"strategy": "6motion", "smoothing_fwhm_mm": 10},
    }
    document["exposures"]["brain"] = {**document["exposures"]["plasma"], "ke0_per_min": 2.0}
    measures = document["measures"]
    measures["bins"]["sensitivity"] = ["motion_gsr"]
    infusion = {"kind": "infusion", "scan": "rest", "denoising": "motion", "drift": NO_DRIFT}
    measures |= {name: {**infusion, "response": response} for name, response in RESPONSES.items()}
    measures["effectsite"]["noise"] = {"kind": "white"}
    measures["backwards"] = {
        **infusion,
        "response": {"model": "pseudoblock", "bin_s": 30, "window_min": [0.5, 1.5]},
        "drift": {"order": 1, "source": "baseline", "max_overlap": 0.999},
        "noise": {"kind": "arma11"},
    }
    measures["parcelbins"] = {**measures["bins"], "sensitivity": [], "parcels": "atlas"}
    rest = {"scan": "rest", "denoising": "motion"}
    nback = {"scan": "nback", "denoising": "task"}
    white = {"noise": {"kind": "white"}}
    coupling = {"kind": "ppi", **nback, "contrast": BY_LOAD}
    measures |= {
        "load": {"kind": "task", **nback, **white, "contrast": BY_LOAD},
        "twoback": {"kind": "task", **nback, **white, "contrast": {"two_back": 1}},
        "harder": {
            "kind": "task",
            **nback,
            "contrast": {"two_back:difficulty": 1},
            "modulators": {"two_back": ["difficulty"]},
        },
        "fir": {
            "kind": "task",
            **nback,
            "contrast": {"two_back": 1},
            "hrf": "fir",
            "fir_duration_s": 12,
        },
        "shifted": {
            "kind": "task",
            **nback,
            "contrast": BY_LOAD,
            "hrf": "canonical_derivatives",
        },
        "parcelload": {"kind": "task", **nback, "contrast": BY_LOAD, "parcels": "atlas"},
        "coupling": {**coupling, **white, "seed": "seed", "deconvolution": "none"},
        "othercoupling": {**coupling, **white, "seed": "other", "deconvolution": "none"},
        "deconvolved": {**coupling, "seed": "seed"},
        "parcelppi": {**coupling, "seed": "seed", "parcels": "atlas"},
        "trials": {"kind": "beta_series", **nback, "seed": "seed", "contrast": BY_LOAD},
        "slow": {"kind": "alff", **rest, "band_hz": [0.01, 0.1]},
        "share": {"kind": "falff", **rest, "band_hz": [0.01, 0.1], "parcels": "atlas"},
        "homogeneity": {"kind": "reho", **rest},
        "everywhere": {"kind": "global_connectivity", **rest, "sensitivity": ["motion_gsr"]},
        "hubs": {"kind": "degree_centrality", **rest, "threshold_r": 0.25, "step": 1},
        "network": {
            "kind": "dual_regression",
            **rest,
            "networks": "networks.nii.gz",
            "network": 1,
            "space": SPACE,
        },
        "serotonin": {
            "kind": "receptor_maps",
            **rest,
            "maps": {"ht1a": "ht1a.nii.gz", "ht2a": "ht2a.nii.gz"},
            "receptor": "ht2a",
            "space": SPACE,
        },
        "follow": {
            "kind": "exposure_connectivity",
            **rest,
            "seed": "seed",
            "exposure": "plasma",
            "window_s": 60,
            "step_s": 20,
        },
        "first": {"kind": "seed_to_voxel", **rest, "seed": "seed"},
        "second": {"kind": "seed_to_voxel", **rest, "seed": "other"},
    }
    measures["smoothed"] = {**measures["slow"], "denoising": "smooth"}
    measures["follows"]["sensitivity"] = ["motion_gsr"]
    document["questions"] |= {
        "bin": question("bins", map="bin02", where={"mean_of": "target"}),
        "gsr": question("bins", denoising="motion_gsr", where={"mean_of": "target"}),
        "parcels": question("parcelbins", map="bin05"),
        "task": question("load", where={"within": "target"}),
    }
    return document


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[InfusionTrial, str]:
    trial = write_trial(tmp_path_factory.mktemp("infusion"), full_document())
    return trial, run_all(trial.bids, trial.out, trial.protocol)


@pytest.fixture(scope="module")
def trial(made: tuple[InfusionTrial, str]) -> InfusionTrial:
    return made[0]


# --------------------------------------------------------------------- NumPy, from the files alone
def series(trial: InfusionTrial, subject: str, task: str) -> np.ndarray:
    """Read a run as volumes x voxels, in the order of a map's C order."""
    data = np.asarray(nib.load(trial.bold(subject, task)).dataobj, np.float64)
    return data.reshape(-1, N_VOLUMES).T


def values(
    trial: InfusionTrial, subject: str, measure: str, stat: str, desc: str = ""
) -> np.ndarray:
    ending = f"{desc and f'desc-{desc}_'}stat-{stat}_statmap.nii.gz"
    path = trial.results(subject, measure, ending)
    return np.asarray(nib.load(path).dataobj, np.float64).reshape(-1)


def sidecar(trial: InfusionTrial, subject: str, measure: str, stat: str) -> dict[str, object]:
    path = trial.results(subject, measure, f"stat-{stat}_statmap.json")
    content: dict[str, object] = json.loads(path.read_text())
    return content


def motion(trial: InfusionTrial, subject: str, task: str) -> np.ndarray:
    """Give the constant and six motion parameters."""
    table = trial.confounds(subject, task)
    return np.column_stack([np.ones(N_VOLUMES), table[list(MOTION)].to_numpy()])


def high_pass(limit_hz: float) -> np.ndarray:
    """Give all cosines below a frequency."""
    count = int(np.floor(2 * N_VOLUMES * T_R * limit_hz))
    phase = np.pi * (np.arange(N_VOLUMES) + 0.5) / N_VOLUMES
    return np.column_stack([np.cos(k * phase) for k in range(1, count + 1)])


# ----------------------------------------------------------------------------------- held to NumPy
@pytest.mark.parametrize("subject", ["01", "02"])
def test_pseudoblock_is_least_squares(trial: InfusionTrial, subject: str) -> None:
    Y = series(trial, subject, "rest")
    X = np.hstack([bin_columns(), line(), motion(trial, subject, "rest")])
    percent = 100 / Y.mean(axis=0)
    effect, variance, df = ols(Y, X, np.full(5, 0.2))
    assert_allclose(values(trial, subject, "bins", "effect"), percent * effect, atol=2e-5)
    found = values(trial, subject, "bins", "variance")
    assert_allclose(found, percent**2 * variance, rtol=1e-4)
    assert sidecar(trial, subject, "bins", "effect")["DegreesOfFreedom"] == df
    second, _, _ = ols(Y, X, np.array([0.0, 1.0]))
    assert_allclose(values(trial, subject, "bins", "bin02"), percent * second, atol=2e-5)


@pytest.mark.parametrize("subject", ["01", "06"])
def test_exposure_follows_the_drug_also_under_placebo(trial: InfusionTrial, subject: str) -> None:
    Y = series(trial, subject, "rest")
    own = curve(WEIGHTS[subject])[:, None]
    X = np.hstack([own, line(), motion(trial, subject, "rest")])
    effect, variance, _ = ols(Y, X, np.array([1.0]))
    percent = 100 / Y.mean(axis=0)
    assert_allclose(values(trial, subject, "follows", "effect"), percent * effect, atol=2e-5)
    found = values(trial, subject, "follows", "variance")
    assert_allclose(found, percent**2 * variance, rtol=1e-4)


def test_effect_site_lags_the_plasma(trial: InfusionTrial) -> None:
    fine = np.linspace(0.0, 2.5, 25_001)
    ke0 = 2.0

    def at_site(weight: float) -> np.ndarray:
        plasma = concentration(fine, weight)
        decay = np.exp(-ke0 * fine)
        site = ke0 * decay * scipy.integrate.cumulative_trapezoid(plasma / decay, fine, initial=0)
        return np.asarray(np.interp(minutes(), fine, site, left=0.0))

    Y = series(trial, "04", "rest")
    own = at_site(WEIGHTS["04"]) / at_site(70.0).max()
    X = np.column_stack([own, motion(trial, "04", "rest")])
    expected = 100 / Y.mean(axis=0) * ols(Y, X, np.array([1.0]))[0]
    assert_allclose(values(trial, "04", "effectsite", "effect"), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("measure", "weights"), [("load", [-1.0, 1.0]), ("twoback", [0.0, 1.0])])
def test_task_is_least_squares(trial: InfusionTrial, measure: str, weights: list[float]) -> None:
    Y = series(trial, "02", "nback")
    task = np.column_stack([spm_regressor("zero_back"), spm_regressor("two_back")])
    X = np.hstack([task, motion(trial, "02", "nback"), high_pass(0.01)])
    effect, variance, df = ols(Y, X, np.array(weights))
    percent = 100 / Y.mean(axis=0)
    assert_allclose(values(trial, "02", measure, "effect"), percent * effect, atol=2e-5)
    assert_allclose(values(trial, "02", measure, "variance"), percent**2 * variance, rtol=1e-4)
    assert_allclose(
        values(trial, "02", measure, "t"), effect / np.sqrt(variance), atol=1e-3, rtol=1e-4
    )
    assert sidecar(trial, "02", measure, "effect")["DegreesOfFreedom"] == df


@pytest.mark.parametrize(
    ("measure", "center"), [("coupling", SEED_MM), ("othercoupling", OTHER_MM)]
)
def test_interaction_is_least_squares(
    trial: InfusionTrial, measure: str, center: tuple[float, float, float]
) -> None:
    Y = series(trial, "03", "nback")
    seed = Y[:, inside(center).reshape(-1)].mean(axis=1)
    nuisance = np.hstack([motion(trial, "03", "nback"), high_pass(0.01)])
    task = np.column_stack([spm_regressor("zero_back"), spm_regressor("two_back")])
    physiological = seed - nuisance @ np.linalg.lstsq(nuisance, seed, rcond=None)[0]
    products = physiological[:, None] * (task - task.mean(axis=0))
    X = np.hstack([products, physiological[:, None], task, nuisance])
    effect, variance, _ = ols(Y, X, np.array([-1.0, 1.0]))
    percent = seed.mean() / Y.mean(axis=0)
    assert_allclose(values(trial, "03", measure, "effect"), percent * effect, atol=2e-5)
    found = values(trial, "03", measure, "variance")
    assert_allclose(found, percent**2 * variance, rtol=1e-4)


@pytest.mark.parametrize(("measure", "center"), [("first", SEED_MM), ("second", OTHER_MM)])
def test_seeds_are_correlations(
    trial: InfusionTrial, measure: str, center: tuple[float, float, float]
) -> None:
    Y = cleaned(trial, "05")
    own = inside(center).reshape(-1)
    seed = Y[:, own].mean(axis=1)
    r = seed @ Y / np.linalg.norm(seed) / np.linalg.norm(Y, axis=0)
    assert_allclose(values(trial, "05", measure, "z"), np.arctanh(r), atol=1e-5)


def cleaned(trial: InfusionTrial, subject: str) -> np.ndarray:
    Y, X = series(trial, subject, "rest"), motion(trial, subject, "rest")
    return np.asarray(Y - X @ np.linalg.lstsq(X, Y, rcond=None)[0])


def test_global_connectivity_is_the_mean_correlation(trial: InfusionTrial) -> None:
    r = np.corrcoef(cleaned(trial, "01").T)
    expected = (r.sum(axis=0) - 1) / (len(r) - 1)
    assert_allclose(values(trial, "01", "everywhere", "effect"), expected, atol=1e-5)
    without = values(trial, "01", "everywhere", "effect", desc="motiongsr")
    assert without.mean() < expected.mean()


def test_degree_counts_correlations(trial: InfusionTrial) -> None:
    r = np.corrcoef(cleaned(trial, "01").T)
    expected = ((r > 0.25).sum(axis=0) - 1) / (len(r) - 1)
    assert_allclose(values(trial, "01", "hubs", "effect"), expected, atol=1.5 / (len(r) - 1))


def test_dual_regression_is_two_regressions(trial: InfusionTrial) -> None:
    Y = cleaned(trial, "04")
    networks = np.asarray(nib.load(trial.root / "networks.nii.gz").dataobj, float).reshape(-1, 3)
    check_dual_regression(trial, "network", Y, networks, column=0)


def test_receptor_maps_are_two_regressions(trial: InfusionTrial) -> None:
    Y = cleaned(trial, "04")
    maps = [nib.load(trial.root / f"{name}.nii.gz").dataobj for name in ("ht1a", "ht2a")]
    densities = np.column_stack([np.asarray(item, float).reshape(-1) for item in maps])
    check_dual_regression(trial, "serotonin", Y, densities, column=1)


def check_dual_regression(
    trial: InfusionTrial, measure: str, Y: np.ndarray, maps: np.ndarray, *, column: int
) -> None:
    in_space = np.column_stack([maps, np.ones(len(maps))])
    courses = np.linalg.lstsq(in_space, Y.T, rcond=None)[0][:-1].T
    courses = courses / courses.std(axis=0)
    beta = np.linalg.lstsq(courses, Y, rcond=None)[0][column]
    mean = series(trial, "04", "rest").mean(axis=0)
    assert_allclose(values(trial, "04", measure, "effect"), 100 * beta / mean, atol=2e-5)


def test_homogeneity_is_kendalls_w(trial: InfusionTrial) -> None:
    Y = cleaned(trial, "02").reshape(N_VOLUMES, *BOX.shape)
    ranks = scipy.stats.rankdata(Y[:, 1:4, 1:4, 1:4].reshape(N_VOLUMES, 27), axis=0)
    n, k = ranks.shape
    w = 12 * ((ranks.sum(axis=1) - k * (n + 1) / 2) ** 2).sum() / (k**2 * (n**3 - n))
    found = values(trial, "02", "homogeneity", "effect").reshape(BOX.shape)
    assert_allclose(found[2, 2, 2], w, atol=1e-5)


def test_parcels_are_the_means_of_their_voxels(trial: InfusionTrial) -> None:
    Y = series(trial, "02", "rest")
    means = np.column_stack([Y[:, (parcels() == k).reshape(-1)].mean(axis=1) for k in (1, 2, 3)])
    X = np.hstack([bin_columns(), line(), motion(trial, "02", "rest")])
    effect, variance, _ = ols(means, X, np.full(5, 0.2))
    percent = 100 / means.mean(axis=0)
    table = pd.read_csv(trial.results("02", "parcelbins", "stat-effect_values.tsv"), sep="\t")
    assert table["name"].tolist() == ["one", "other", "target"]
    assert_allclose(table["effect"], percent * effect, atol=1e-5)
    assert_allclose(table["variance"], percent**2 * variance, rtol=1e-5)
    assert {"bin01", "bin05", "driftslope", "F"} <= set(table.columns)
    for measure in ("share", "parcelload", "parcelppi"):
        other = pd.read_csv(trial.results("02", measure, "stat-effect_values.tsv"), sep="\t")
        assert np.isfinite(other["effect"]).all()


# ----------------------------------------------------------------------- what was planted is found
def test_planted_response_is_recovered(trial: InfusionTrial) -> None:
    there = inside(TARGET_MM).reshape(-1)
    for subject, arm in zip(SUBJECTS, ARMS, strict=True):
        found = values(trial, subject, "follows", "effect")[there].mean()
        expected = PLANTED_PERCENT if arm == "ketamine" else 0.0
        assert_allclose(found, expected, atol=0.7)


@pytest.mark.parametrize(
    ("name", "measure", "stat", "desc"),
    [
        ("response", "bins", "effect", ""),
        ("bin", "bins", "bin02", ""),
        ("gsr", "bins", "effect", "motiongsr"),
    ],
)
def test_answer_is_the_difference_of_the_arms(
    trial: InfusionTrial, name: str, measure: str, stat: str, desc: str
) -> None:
    there = inside(TARGET_MM).reshape(-1)
    means = {
        arm: np.mean(
            [
                values(trial, subject, measure, stat, desc)[there].mean()
                for subject, own in zip(SUBJECTS, ARMS, strict=True)
                if own == arm
            ]
        )
        for arm in set(ARMS)
    }
    row = statistics_of(trial.out, name).loc["target"]
    assert_allclose(row["effect"], means["ketamine"] - means["placebo"], atol=1e-5)


def test_difference_of_the_arms_is_what_was_planted(trial: InfusionTrial) -> None:
    treated = [
        WEIGHTS[label] for label, arm in zip(SUBJECTS, ARMS, strict=True) if arm != "placebo"
    ]
    course = PLANTED_PERCENT * np.mean([curve(weight) for weight in treated], axis=0)
    after = minutes() > 0
    found = statistics_of(trial.out, "response").loc["target"]
    assert_allclose(found["effect"], course[after].mean(), atol=0.5)
    second = (minutes() > 0.5) & (minutes() < 1)
    found = statistics_of(trial.out, "bin").loc["target"]
    assert_allclose(found["effect"], course[second].mean(), atol=0.6)


def test_maps_and_parcels_are_answered_too(trial: InfusionTrial) -> None:
    table = statistics_of(trial.out, "parcels")
    assert table.index.tolist() == ["one", "other", "target"]
    assert table["effect"].idxmax() == "target"
    tested = np.isfinite(map_of(trial.out, "task", "effect"))
    assert tested.sum() == inside(TARGET_MM).sum()
    assert np.nanmean(map_of(trial.out, "task", "effect")) > 0.5


def test_same_in_all_six_models(trial: InfusionTrial) -> None:
    there = inside(TARGET_MM).reshape(-1)
    for measure in (*RESPONSES, "backwards"):
        drug, placebo = (values(trial, label, measure, "effect")[there] for label in ("06", "01"))
        assert drug.mean() - placebo.mean() > 0.7
        content = sidecar(trial, "06", measure, "effect")
        assert 0 <= content["Model"]["overlap"] <= 0.999
        assert content["Model"]["overlap_limit"] == 0.999


# --------------------------------------------------------------------------- what stands beside it
UNITS = {
    "bins": "% signal change",
    "family": "% signal change",
    "load": "% signal change",
    "harder": "% signal change",
    "fir": "% signal change",
    "shifted": "% signal change",
    "coupling": "% per % of the seed",
    "deconvolved": "% per % of the seed",
    "trials": "Fisher z",
    "slow": "% signal change / sqrt(Hz)",
    "homogeneity": "Kendall's W",
    "network": "% signal change per SD of the network",
    "serotonin": "% signal change per SD of the network",
    "follow": "Fisher z per unit of exposure",
}


@pytest.mark.parametrize("measure", UNITS)
def test_sidecar_tells_unit_variance_and_df(trial: InfusionTrial, measure: str) -> None:
    content = sidecar(trial, "01", measure, "effect")
    assert content["Units"] == UNITS[measure]
    if measure in {"slow", "homogeneity"}:
        return
    assert content["DegreesOfFreedom"] > 1
    assert content["VarianceAssumes"]
    if content["Variance"] == "stat-variance":
        assert (values(trial, "01", measure, "variance") > 0).all()
    else:
        assert content["Variance"] > 0


def test_every_measure_of_every_run_is_there(trial: InfusionTrial) -> None:
    document = trial.document
    for subject in SUBJECTS:
        for name, measure in document["measures"].items():
            ending = "values.tsv" if "parcels" in measure else "statmap.nii.gz"
            stat = "z" if measure["kind"] == "seed_to_voxel" else "effect"
            path = trial.results(subject, name, f"stat-{stat}_{ending}")
            if ending == "statmap.nii.gz":
                assert np.isfinite(np.asarray(nib.load(path).dataobj)).all(), name


def test_page_shows_measures_and_answers(trial: InfusionTrial) -> None:
    page = (trial.out / "report" / "index.html").read_text()
    drug = ("volumes 50 L, clearances 600 L/h for 70 kg", "polynomial of order 1, informed by")
    for words in ("response to the infusion", "bin02", "SIMULATED", *drug):
        assert words in page


def test_smoothing_of_one_measure_leaves_the_others_alone(trial: InfusionTrial) -> None:
    plain, smooth = (values(trial, "01", name, "effect") for name in ("slow", "smoothed"))
    assert smooth.mean() < 0.8 * plain.mean()


# ---------------------------------------------------------------------------- again, and otherwise
def test_second_run_computes_nothing(trial: InfusionTrial) -> None:
    words = ("run", trial.bids, trial.out, "participant", "--protocol", trial.protocol)
    code, printed = call(*words, "--n-workers", "1")
    assert code == 0, printed
    assert "0 steps done, 12 kept" in printed


def files_of(out: Path, subjects: tuple[str, ...]) -> dict[str, bytes]:
    return {
        str(path.relative_to(out)): path.read_bytes().replace(bytes(out), b"OUT")
        for subject in subjects
        for path in sorted(out.glob(f"sub-{subject}/*/func/*"))
        if not path.name.endswith("_run.json")  # holds when its outputs were written
    }


def test_two_workers_write_what_one_writes(trial: InfusionTrial, tmp_path: Path) -> None:
    subjects = ("02",)
    words = ("run", trial.bids, tmp_path, "participant", "--protocol", trial.protocol)
    code, printed = call(*words, "--n-workers", "2", "--participant-label", *subjects)
    assert code == 0, printed
    one, two = files_of(trial.out, subjects), files_of(tmp_path, subjects)
    assert one.keys() == two.keys()
    assert len(one) > 100
    assert [name for name in one if one[name] != two[name]] == []
