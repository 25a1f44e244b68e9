"""First-level results that were changed, measured otherwise, or do not fit together."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from phmri.exceptions import DesignError
from phmri.pipeline._group import answer_question
from phmri.pipeline._job import RunJob, manifest_path, measure_path, run_inputs, run_key
from phmri.pipeline._loading import MeasuredRun, gather_runs, load_outcomes, load_values
from phmri.pipeline._manifest import write_manifest
from phmri.pipeline._populations import count_in
from phmri.pipeline._provenance import FileRecord
from phmri.pipeline._sound import few, refuse_odd_grids
from phmri.pipeline._units import QuestionUnits, find_units
from tests.unit.pipeline.measured_trial import CROSSED, N_VOXELS, TARGET, Trial, make_trial


def values(subject: str, session: str, denoising: str, statistic: str) -> np.ndarray:
    return np.random.default_rng([int(subject), len(denoising), ord(session[0])]).normal(
        size=N_VOXELS
    )


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    made = make_trial(tmp_path)
    made.write("step", values)
    return made


def units(trial: Trial) -> QuestionUnits:
    inputs = trial.inputs
    measure = inputs.protocol.questions["it"].measure
    counted = count_in(inputs.protocol, measure, inputs.check, inputs.happened, None)
    return find_units(
        inputs.protocol, "it", index=inputs.index, counted=counted, sources=inputs.runs
    )


def roles(trial: Trial) -> dict[str, tuple[MeasuredRun, ...]]:
    return {
        role: tuple(run for run in members if isinstance(run, MeasuredRun))
        for role, members in units(trial).runs.items()
    }


def load(trial: Trial) -> None:
    question = trial.inputs.protocol.questions["it"]
    load_outcomes(trial.inputs.protocol, question, roles(trial), None)


def on_disk(trial: Trial, *, step_key: str | None = None) -> list[RunJob]:
    """Write every manifest, the first five under another key if there is one; give the jobs."""
    jobs = []
    for number, run in enumerate(trial.inputs.runs.values()):
        job = with_files(run.job)
        manifest = replace(run.manifest, sources=sources_of(job))
        if number < 5 and step_key is not None:
            manifest = replace(manifest, step_key=step_key)
        write_manifest(manifest_path(job), manifest)
        jobs.append(job)
    return jobs


def with_files(job: RunJob) -> RunJob:
    """Put a file where the run of a job is said to be."""
    path = job.out_dir / "raw" / f"{manifest_path(job).stem}_bold.nii.gz"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"a run")
    return replace(job, run=replace(job.run, path=path, mask=None, confounds=None))


def sources_of(job: RunJob) -> tuple[FileRecord, ...]:
    return tuple(map(FileRecord.of, run_inputs(job.run)))


def test_three_are_named_and_the_rest_counted() -> None:
    assert few(["a"]) == "a"
    assert few(["a", "b", "c"]) == "a, b, c"
    assert few(list("abcde"), joint="; ") == "a; b; c and 2 more"


# ----------------------------------------------------------------------------------- altered files
def test_a_map_that_was_altered_is_refused_by_its_name(trial: Trial) -> None:
    load(trial)
    altered = measure_path(trial.inputs.runs["03", "one", "rest"].job, "step")
    altered.write_bytes(altered.read_bytes() + b"\0")
    with pytest.raises(DesignError) as caught:
        load(trial)
    (problem,) = caught.value.problems
    assert problem.found == altered.name
    assert "run the participant level again" in problem.expected
    answer = answer_question(trial.inputs, "it", lambda stage, done, total: None)
    assert answer.claim.verdict == "refused"
    assert altered.name in answer.claim.sentence


def test_a_map_that_is_gone_is_refused(trial: Trial) -> None:
    measure_path(trial.inputs.runs["03", "one", "rest"].job, "step").unlink()
    with pytest.raises(DesignError, match="changed or lost after they were measured"):
        load(trial)


def test_results_may_be_moved(trial: Trial, tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    moved.mkdir()
    for folder in sorted(tmp_path.glob("sub-*")):
        folder.rename(moved / folder.name)
    for key, run in trial.inputs.runs.items():
        trial.inputs.runs[key] = replace(run, job=replace(run.job, out_dir=moved))
    load(trial)


def test_what_is_only_drawn_is_left_out_when_altered(trial: Trial) -> None:
    question, inputs = trial.inputs.protocol.questions["it"], trial.inputs
    outcomes = load_outcomes(inputs.protocol, question, roles(trial), None)
    altered = inputs.runs["03", "one", "rest"]
    path = measure_path(altered.job, "step")
    path.write_bytes(path.read_bytes() + b"\0")
    drawn = load_values(question, outcomes, 0, inputs.runs)
    assert set(inputs.runs) - set(drawn) == {altered.key}


# ---------------------------------------------------------------------------------- other settings
def test_runs_of_other_settings_say_so(trial: Trial) -> None:
    jobs = on_disk(trial, step_key="of other settings")
    trial.inputs.runs.update(gather_runs(jobs))
    left_out = units(trial).left_out
    why = "was measured with other settings (run the participant level)"
    assert set(left_out) == {"01", "02", "03"}
    assert left_out["03"] == f"ses-one rest: {why}"


def test_runs_whose_files_changed_since_are_not_used(trial: Trial) -> None:
    jobs = on_disk(trial)
    before = gather_runs(jobs)
    assert {run.excluded for run in before.values()} == {""}
    jobs[3].run.path.write_bytes(b"preprocessed again")
    after = gather_runs(jobs)
    changed = [key for key, run in after.items() if run.excluded]
    assert changed == [run_key(jobs[3])]
    assert after[changed[0]].excluded.startswith("was measured before its files changed")


def test_what_a_run_left_is_part_of_its_key(trial: Trial) -> None:
    run = next(iter(trial.inputs.runs.values()))
    other = replace(run.manifest.outputs[0], sha256="of another map")
    manifest = replace(run.manifest, outputs=(other, *run.manifest.outputs[1:]))
    assert replace(run, manifest=manifest).step_key != run.step_key


def test_a_refusal_names_three_participants(trial: Trial) -> None:
    trial.inputs.runs.clear()
    with pytest.raises(DesignError) as caught:
        roles(trial)
    (problem,) = caught.value.problems
    assert problem.found.startswith("sub-01: ses-")
    assert problem.found.count("is not measured (run the participant level)") == 3
    assert problem.found.endswith(f"and {len(CROSSED) - 3} more")


def test_coverage_is_only_that_of_the_region_as_it_is_now(trial: Trial) -> None:
    run = next(iter(trial.inputs.runs.values()))
    then = {"target": {"kind": "sphere", "mm": (1, 2)}, "gone": {}}
    manifest = replace(
        run.manifest,
        region_sources=then,
        region_coverage={"target": 0.5, "gone": 1.0},
        region_voxels={"target": 2, "gone": 1},
    )
    manifest = replace(manifest, sources=sources_of(with_files(run.job)))
    for source, known in (({"mm": [1, 2], "kind": "sphere"}, {"target"}), ({"mm": 3}, set())):
        job = replace(with_files(run.job), regions=(replace(TARGET, source=source),))
        write_manifest(manifest_path(job), manifest)
        (found,) = gather_runs([job]).values()
        assert set(found.manifest.region_coverage) == set(found.manifest.region_voxels) == known
        assert found.manifest.excluded == ""


# ------------------------------------------------------------------------------------------- grids
def test_the_odd_grid_is_named_not_the_usual_ones(trial: Trial) -> None:
    jobs = [run.job for run in trial.inputs.runs.values()]
    refuse_odd_grids(jobs)
    odd = replace(jobs[0].run, shape=(2, 2, 2), path=Path("sub-01_bold.nii.gz"))
    shifted = replace(jobs[1].run, affine=jobs[1].run.affine + 0.1, path=Path("sub-01_two.nii.gz"))
    near = replace(jobs[2].run, affine=jobs[2].run.affine + 1e-6)
    changed = [replace(job, run=run) for job, run in zip(jobs, (odd, shifted, near), strict=False)]
    with pytest.raises(DesignError) as caught:
        refuse_odd_grids([*changed, *jobs[3:]])
    (problem,) = caught.value.problems
    assert problem.found == "sub-01_bold.nii.gz (2, 2, 2), sub-01_two.nii.gz (3, 2, 2)"
    assert problem.expected == "shape (3, 2, 2) and the affine of the other 14"


def test_tables_of_other_parcels_are_named(tmp_path: Path) -> None:
    made = make_trial(tmp_path)

    def parcels(subject: str, session: str, denoising: str, statistic: str) -> np.ndarray:
        return np.arange(2.0 if (subject, session) == ("01", "one") else 3.0) + int(subject)

    made.write("parcels", parcels)
    question = made.inputs.protocol.questions["it"].model_copy(update={"measure": "parcels"})
    with pytest.raises(DesignError) as caught:
        load_outcomes(made.inputs.protocol, question, roles(made), None)
    (problem,) = caught.value.problems
    assert "sub-01" in problem.found
    assert problem.found.endswith("(2 names)")
    assert problem.expected == "3 names, as in the other 15, e.g. p0"


def test_numbers_of_voxels_are_said(trial: Trial) -> None:
    question = trial.inputs.protocol.questions["it"]
    loaded = load_outcomes(trial.inputs.protocol, question, roles(trial), None)
    assert loaded.note == f"{N_VOXELS} voxels, which every participant has."
    assert_array_equal(sorted(loaded.images), sorted(roles(trial)))
