"""Measures of a run: those that can share a pass do, and each comes out under its name."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.dataset import AtlasStore, check_dataset, index_dataset, read_confounds
from phmri.exceptions import FirstLevelError, Problem
from phmri.firstlevel import RunEstimate
from phmri.pipeline import _infusion_measure, _measures
from phmri.pipeline._censored import censored_reason
from phmri.pipeline._foresee import foresee
from phmri.pipeline._job import ExposureCurve, RunJob
from phmri.pipeline._measures import Variant, measure_run
from phmri.pipeline._plan import make_plan
from phmri.pipeline._run_data import RunData
from phmri.protocol import read_protocol
from tests.e2e.first_level_trial import base_document, spm_regressor, write_trial

REST = {"scan": "rest", "denoising": "motion"}
NBACK = {"scan": "nback", "denoising": "motion"}
LOAD = {"two_back": 1, "zero_back": -1}
NOTHING = RunEstimate(
    values=np.zeros(1), names=(), variance=1.0, df=1.0, unit="", variance_assumes=""
)


def document() -> dict[str, dict]:
    content = base_document()
    seed = {"kind": "seed_to_voxel", **REST}
    content["measures"] |= {
        "first": {**seed, "seed": "seed", "sensitivity": ["motion_gsr"]},
        "second": {**seed, "seed": "other"},
        "load": {"kind": "task", **NBACK, "contrast": LOAD},
        "two": {"kind": "task", **NBACK, "contrast": {"two_back": 1}},
        "fir": {"kind": "task", **NBACK, "contrast": LOAD, "hrf": "fir", "fir_duration_s": 10},
        "coupling": {"kind": "ppi", **NBACK, "seed": "seed", "contrast": LOAD},
        "reversed": {
            "kind": "ppi",
            **NBACK,
            "seed": "seed",
            "contrast": {"two_back": -1, "zero_back": 1},
        },
        "trials": {"kind": "beta_series", **NBACK, "seed": "seed", "contrast": LOAD},
        "whole": {"kind": "seed_to_voxel", **NBACK, "seed": "seed"},
        "two_only": {"kind": "seed_to_voxel", **NBACK, "seed": "seed", "condition": "two_back"},
        "both": {"kind": "seed_to_voxel", **NBACK, "seed": "other", "condition": LOAD},
        "zero_only": {"kind": "seed_to_voxel", **NBACK, "seed": "seed", "condition": "zero_back"},
        "atlas_two": {
            "kind": "seed_to_parcel",
            **NBACK,
            "seed": "seed",
            "parcels": "atlas",
            "condition": "two_back",
        },
        "among_two": {
            "kind": "roi_to_roi",
            **NBACK,
            "regions": ["seed", "other", "target"],
            "condition": "two_back",
        },
        "edges": {"kind": "roi_to_roi", **REST, "regions": ["seed", "other", "target"]},
        "byparcel": {"kind": "seed_to_parcel", **REST, "seed": "seed", "parcels": "atlas"},
    }
    return content


@pytest.fixture(scope="module")
def jobs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, RunJob]:
    trial = write_trial(tmp_path_factory.mktemp("trial"), document())
    protocol = read_protocol(trial.protocol)
    index = index_dataset(trial.bids, ())
    found = make_plan(
        protocol,
        index,
        check_dataset(protocol, index, ("02",)),
        protocol_dir=trial.root,
        protocol_sha256="",
        out_dir=trial.out,
        atlas=AtlasStore(()),
    )
    return {job.scan_name: job for job in found.jobs}


def open_run(job: RunJob) -> RunData:
    assert job.run.confounds is not None
    return RunData(job=job, confounds=read_confounds(job.run.confounds))


@pytest.fixture(scope="module")
def nback(jobs: dict[str, RunJob]) -> dict[Variant, RunEstimate]:
    return measure_run(open_run(jobs["nback"]))


@pytest.fixture(scope="module")
def rest(jobs: dict[str, RunJob]) -> dict[Variant, RunEstimate]:
    return measure_run(open_run(jobs["rest"]))


def test_every_measure_under_every_denoising(
    jobs: dict[str, RunJob],
    rest: dict[Variant, RunEstimate],
    nback: dict[Variant, RunEstimate],
) -> None:
    for job, found in ((jobs["rest"], rest), (jobs["nback"], nback)):
        expected = {
            Variant(name, denoising)
            for name, measure in job.measures.items()
            for denoising in measure.denoisings
        }
        assert set(found) == expected
    assert Variant("first", "motion_gsr") in rest


def test_one_pass_for_all_contrasts_of_one_model(
    jobs: dict[str, RunJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[tuple[str, ...]] = []

    def record(
        data: RunData, members: Mapping[str, object], denoising: str
    ) -> dict[str, RunEstimate]:
        passes.append(tuple(members))
        return dict.fromkeys(members, NOTHING)

    for name in ("task", "ppi", "beta_series"):
        monkeypatch.setattr(_measures, name, record)
    measure_run(open_run(jobs["nback"]))
    assert passes == [("load", "two"), ("fir",), ("coupling", "reversed"), ("trials",)]


def test_contrasts_of_one_pass_keep_apart(nback: dict[Variant, RunEstimate]) -> None:
    there, back = (nback[Variant(name, "motion")] for name in ("coupling", "reversed"))
    assert_allclose(there.values, -back.values, rtol=1e-9)
    load, two = (nback[Variant(name, "motion")] for name in ("load", "two"))
    assert load.df == two.df
    assert np.abs(load.values - two.values).max() > 0.01


def test_names_are_those_of_regions_and_parcels(rest: dict[Variant, RunEstimate]) -> None:
    edges = rest[Variant("edges", "motion")]
    assert edges.names == ("seed~other", "seed~target", "other~target")
    assert edges.values[0] == pytest.approx(rest[Variant("byparcel", "motion")].values[1])
    assert rest[Variant("byparcel", "motion")].names == ("one", "other", "target")


def test_blocks_weigh_the_volumes_of_the_cleaned_run(
    jobs: dict[str, RunJob], nback: dict[Variant, RunEstimate]
) -> None:
    data = open_run(jobs["nback"])
    measure = jobs["nback"].measures["two_only"]
    cleaning, voxels = data.cleaning("motion"), data.outcomes(measure, "motion").series
    seed = data.region(measure, "motion", "seed")[:, None]
    kept = cleaning.sample_mask
    assert cleaning.kind == "remove"
    s, y = (
        kept_series - cleaning.basis @ (cleaning.basis.T @ kept_series)
        for kept_series in (seed[kept].astype(float), voxels[kept].astype(float))
    )
    w = np.clip(spm_regressor("two_back"), 0.0, None)[kept]
    s, y = (series - w @ series / w.sum() for series in (s, y))
    r = (w * s[:, 0]) @ y / np.sqrt((w @ s[:, 0] ** 2) * (w @ y**2))
    found = nback[Variant("two_only", "motion")]
    inside = np.abs(r) < 1 - 1e-6
    assert_allclose(found.values[inside], np.arctanh(r[inside]), atol=1e-6)
    assert found.facts["effective_volumes"] == [f"two_back: {w.sum() ** 2 / (w @ w):.1f}"]
    assert found.df < nback[Variant("whole", "motion")].df
    parcels, among = (nback[Variant(name, "motion")] for name in ("atlas_two", "among_two"))
    assert parcels.names == ("one", "other", "target")
    assert among.values[0] == pytest.approx(parcels.values[1])


def test_conditions_are_told_apart(
    jobs: dict[str, RunJob], nback: dict[Variant, RunEstimate]
) -> None:
    both = jobs["nback"].measures["both"].model_copy(update={"seed": "seed"})
    (found,) = measure_run(open_run(replace(jobs["nback"], measures={"both": both}))).values()
    two, zero = (nback[Variant(name, "motion")] for name in ("two_only", "zero_only"))
    assert_allclose(found.values, two.values - zero.values, atol=1e-9)
    assert np.nanmax(np.abs(found.values)) > 0.01


def test_curve_of_the_drug_is_told(rest: dict[Variant, RunEstimate]) -> None:
    facts = rest[Variant("follows", "motion")].facts
    assert facts["exposure"] == "mine (venous), doses as planned"
    assert rest[Variant("follows", "motion")].unit == "% signal change"


def test_problem_names_measure_seed_and_file(
    jobs: dict[str, RunJob], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise FirstLevelError(Problem(what="flat", field="seed 1"), Problem(what="bad"))

    monkeypatch.setattr(_measures, "seed_to_voxel", refuse)
    job = jobs["rest"]
    seeds = {name: job.measures[name] for name in ("second", "first")}
    with pytest.raises(FirstLevelError) as caught:
        measure_run(open_run(replace(job, measures=seeds)))
    assert [problem.field for problem in caught.value.problems] == [
        "measures.second, first: seed",
        "measures.second, first",
    ]
    assert {problem.file for problem in caught.value.problems} == {str(job.run.path)}


def test_events_that_are_not_modelled_are_counted(
    jobs: dict[str, RunJob], nback: dict[Variant, RunEstimate]
) -> None:
    assert nback[Variant("load", "motion")].facts["events_not_modelled"] == []
    scan = jobs["nback"].scan.model_copy(
        update={"conditions": ("two_back",), "other_conditions": ("zero_back",)}
    )
    job = replace(jobs["nback"], scan=scan, measures={"two": jobs["nback"].measures["two"]})
    (found,) = measure_run(open_run(job)).values()
    assert found.facts["events_not_modelled"] == ["zero_back: 8"]


# ------------------------------------------------------------------- told before any computing
def test_nothing_is_foreseen_of_what_can_be_computed(jobs: dict[str, RunJob]) -> None:
    assert foresee(jobs.values(), {}).problems == ()


def test_designs_that_cannot_be_made_are_foreseen(jobs: dict[str, RunJob]) -> None:
    late = replace(jobs["rest"], start_min=-0.1)
    scan = jobs["nback"].scan.model_copy(update={"conditions": ("two_back", "three_back")})
    found = foresee([late, replace(jobs["nback"], scan=scan)], {}).problems
    assert {(p.subject, p.session) for p in found} == {("02", "infusion")}
    fields = [str(problem.field) for problem in found]
    assert "measures.bins: min_baseline_volumes" in fields
    assert "measures.follows: min_baseline_volumes" in fields
    assert fields.count("scans.nback.conditions: three_back") == 1
    assert len(found) == len(set(found))


def test_events_that_cannot_tell_a_contrast_are_foreseen(jobs: dict[str, RunJob]) -> None:
    fir = jobs["nback"].measures["fir"].model_copy(update={"fir_duration_s": 24.0})
    (problem,) = foresee([replace(jobs["nback"], measures={"fir": fir})], {}).problems
    assert "cannot be estimated" in problem.what
    assert problem.field == "measures.fir: contrast"
    assert "task_zero_back_fir08" in str(problem.found)


def test_blocks_that_are_missing_or_too_few_are_foreseen_and_refused(
    jobs: dict[str, RunJob],
) -> None:
    two = jobs["nback"].measures["two_only"]
    faults = {
        "few": ({"min_effective_volumes": 500.0}, "worth too few volumes"),
        "none": ({"condition": {"three_back": 1.0}}, "a condition has no event in this run"),
    }
    for change, words in faults.values():
        job = replace(jobs["nback"], measures={"m": two.model_copy(update=change)})
        (problem,) = foresee([job], {}).problems
        assert words in problem.what
        assert str(problem.file) == str(job.run.events)
        with pytest.raises(FirstLevelError) as caught:
            measure_run(open_run(job))
        assert words in caught.value.problems[0].what


def test_blocks_that_censoring_takes_leave_the_run_out(jobs: dict[str, RunJob]) -> None:
    assert censored_reason(open_run(jobs["nback"])) == ""
    data = open_run(jobs["nback"])
    cleaning = data.cleaning("motion")
    mask = cleaning.sample_mask.copy()
    mask[20:] = False
    data._cleanings["motion"] = replace(cleaning, sample_mask=mask)
    reason = censored_reason(data)
    assert reason.startswith("'two_only': condition two_back is left with ")
    assert reason.endswith("effective volumes of 20 under 'motion', at least 15 asked for")


def test_one_design_is_made_once(jobs: dict[str, RunJob], monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    make = _infusion_measure.infusion_design

    def count(*arguments: object, **keywords: object) -> object:
        made.append(keywords)
        return make(*arguments, **keywords)  # type: ignore[arg-type]

    monkeypatch.setattr(_infusion_measure, "infusion_design", count)
    foresee([jobs["rest"]] * 3, {})
    assert len(made) == 2
    foresee([jobs["rest"], replace(jobs["rest"], start_min=-1.4)], {})
    assert len(made) == 6


def test_measure_without_its_curve_is_told_by_the_exposure_alone(jobs: dict[str, RunJob]) -> None:
    none: dict[str, ExposureCurve] = {}
    assert foresee([replace(jobs["rest"], exposures=none)], {}).problems == ()


def test_an_infusion_whose_baseline_is_censored_leaves_the_run_out(
    jobs: dict[str, RunJob],
) -> None:
    data = open_run(jobs["rest"])
    assert censored_reason(data) == ""
    nuisance = data.nuisance("motion")
    n_before = 40
    gone = np.eye(len(nuisance.X))[:, 2:n_before]
    data._nuisance["motion"] = replace(nuisance, X=np.hstack([nuisance.X, gone]))
    reason = censored_reason(data)
    assert "under 'motion': too few volumes before time zero for a baseline" in reason
    assert "the others censored or removed" in reason
