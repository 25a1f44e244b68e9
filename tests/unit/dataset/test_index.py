import gzip
import os
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from phmri.dataset import (
    DatasetIndex,
    Run,
    index_dataset,
    write_image,
    write_json,
    write_table,
    write_text,
)
from phmri.exceptions import DatasetError

ELSEWHERE = "the mask lies elsewhere than the image (their affines differ)"
SPACE = "MNI152NLin2009cAsym"


def _run(index: DatasetIndex, subject: str = "01", session: str = "infusion") -> Run:
    (run,) = (r for r in index.runs if r.subject == subject and r.session == session)
    return run


def _faults(index: DatasetIndex) -> list[str]:
    """Everything wrong with the one broken run; the others must be fine."""
    broken = {(run.subject, run.session) for run in index.runs if run.problems}
    assert broken <= {("01", "infusion")}
    return [problem.what for problem in _run(index).problems]


def _patch(path: Path, start: int, content: bytes) -> None:
    """Overwrite header bytes of an image."""
    image = nib.load(path)
    plain = path.with_name("plain.nii")
    nib.Nifti1Image(np.asarray(image.dataobj), None, image.header).to_filename(plain)
    raw = bytearray(plain.read_bytes())
    raw[start : start + len(content)] = content
    plain.unlink()
    path.write_bytes(gzip.compress(bytes(raw)))


def test_whole_trial(trial) -> None:
    index = index_dataset(trial.root)
    assert index.problems == ()
    assert len(index.runs) == 8
    assert all(run.problems == () for run in index.runs)
    run = _run(index)
    assert (run.task, run.run, run.space, run.resolution) == (
        "nback",
        None,
        "MNI152NLin2009cAsym",
        "2",
    )
    assert (run.kind, run.pipeline, run.n_volumes, run.t_r) == ("volume", "fMRIPrep", 12, 2.0)
    assert run.shape == (5, 6, 4)
    assert run.path == trial.bold()
    assert run.mask == trial.mask()
    assert run.confounds == trial.confounds()
    assert run.events == trial.events()
    assert index.participants.loc["03", "arm"] == "placebo"
    assert list(index.sessions.columns) == ["subject", "session", "acq_time"]
    keys = [(run.subject, run.session) for run in index.runs]
    assert keys == sorted(keys)


def test_entities_that_phmri_does_not_know_are_kept_apart(trial) -> None:
    for path in list(trial.func("01", "infusion").iterdir()):
        path.rename(path.with_name(path.name.replace("task-nback", "task-nback_acq-simulated")))
    run = _run(index_dataset(trial.root))
    assert "acq-simulated" in run.path.name
    assert run.mask is not None
    assert run.confounds is not None
    assert run.events == trial.events()
    assert run.problems == ()


def test_repetition_time_is_inherited_from_the_raw_run(trial) -> None:
    sidecar = trial.bold().with_name(trial.bold().name.replace(".nii.gz", ".json"))
    sidecar.unlink()
    assert _run(index_dataset(trial.root)).t_r == 2.0
    (trial.root / "task-nback_bold.json").unlink()
    assert _faults(index_dataset(trial.root)) == ["the sidecar is missing"]


def test_nearer_sidecar_wins(trial) -> None:
    sidecar = trial.bold().with_name(trial.bold().name.replace(".nii.gz", ".json"))
    write_json(sidecar, {"Other": 1})
    name = "sub-01_ses-infusion_task-nback_bold.json"
    write_json(trial.events().with_name(name), {"RepetitionTime": 2.0004})
    assert _run(index_dataset(trial.root)).t_r == 2.0004


def test_sidecar_and_header_disagree(trial) -> None:
    sidecar = trial.bold().with_name(trial.bold().name.replace(".nii.gz", ".json"))
    write_json(sidecar, {"RepetitionTime": 2.002})
    assert _faults(index_dataset(trial.root)) == [
        "sidecar and header disagree on the repetition time"
    ]


def test_repetition_time_of_nowhere(trial) -> None:
    sidecar = trial.bold().with_name(trial.bold().name.replace(".nii.gz", ".json"))
    write_json(sidecar, {})
    (trial.root / "task-nback_bold.json").unlink()
    _patch(trial.bold(), 123, b"\x02")  # millimetres, no unit of time
    assert _faults(index_dataset(trial.root)) == ["the repetition time is unknown"]


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ('"2.0"', '"2.0"'),
        ("NaN", "NaN"),
        ("null", "null"),
        ("-2", "-2"),
        ("0", "0"),
        ("[2.0]", "[2.0]"),
        ("1e400", "Infinity"),
        ("true", "true"),
    ],
)
def test_repetition_time_that_is_no_number_is_told(trial, written: str, found: str) -> None:
    sidecar = trial.bold().with_name(trial.bold().name.replace(".nii.gz", ".json"))
    sidecar.write_text(f'{{"RepetitionTime": {written}, "SamplingFrequency": 0.5}}')
    (problem,) = _run(index_dataset(trial.root)).problems
    assert (problem.file, problem.field) == (str(sidecar), "RepetitionTime")
    assert (problem.what, problem.found) == ("not a number of seconds", found)


def test_repetition_time_of_an_inherited_sidecar_names_that_file(trial) -> None:
    for path in trial.fmriprep.rglob("*_bold.json"):
        path.unlink()
    inherited = trial.root / "task-nback_bold.json"
    write_json(inherited, {"RepetitionTime": "2"})
    own = trial.events().with_name("sub-01_ses-infusion_task-nback_bold.json")
    write_json(own, {"TaskName": "nback"})
    problems = [problem for run in index_dataset(trial.root).runs for problem in run.problems]
    assert [(p.file, p.found) for p in problems] == [(str(inherited), '"2"')] * 8


def test_repetition_time_in_milliseconds_is_asked_about(trial) -> None:
    sidecar = trial.bold().with_name(trial.bold().name.replace(".nii.gz", ".json"))
    write_json(sidecar, {"RepetitionTime": 2000})
    (problem,) = _run(index_dataset(trial.root)).problems
    assert problem.what == "a repetition time above 30 s: is it in milliseconds?"
    assert (problem.file, problem.field) == (str(sidecar), "RepetitionTime")
    assert (problem.found, problem.expected) == ("2000 s", "seconds, such as 2")
    write_json(sidecar, {"SamplingFrequency": 0.0005})
    (problem,) = _run(index_dataset(trial.root)).problems
    assert (problem.file, problem.found) == (str(sidecar), "2000 s")


def test_header_in_milliseconds_without_their_unit_is_asked_about(trial) -> None:
    sidecar = trial.bold().with_name(trial.bold().name.replace(".nii.gz", ".json"))
    write_json(sidecar, {})
    (trial.root / "task-nback_bold.json").unlink()
    _patch(trial.bold(), 92, np.float32(2000).tobytes())  # pixdim[4]; the unit says seconds
    (problem,) = _run(index_dataset(trial.root)).problems
    assert "is it in milliseconds?" in problem.what
    assert (problem.file, problem.found) == (str(trial.bold()), "2000 s")


def _empty(trial) -> None:
    trial.bold().write_bytes(b"")


def _no_gzip(trial) -> None:
    trial.bold().write_bytes(b"hello")


def _cut_image(trial) -> None:
    trial.bold().write_bytes(trial.bold().read_bytes()[:-40])


def _flat_image(trial) -> None:
    write_image(trial.bold(), np.zeros((5, 6, 4)), np.eye(4))


def _nan_affine(trial) -> None:
    _patch(trial.bold(), 280, np.float32(np.nan).tobytes())


def _flat_affine(trial) -> None:
    _patch(trial.bold(), 280, bytes(16))


def _no_orientation(trial) -> None:
    _patch(trial.bold(), 252, bytes(4))


def _no_mask(trial) -> None:
    trial.mask().unlink()


def _other_mask_shape(trial) -> None:
    image = nib.load(trial.mask())
    write_image(trial.mask(), np.ones((4, 6, 4), dtype=bool), image.affine)


def _shifted_mask(trial) -> None:
    affine = nib.load(trial.mask()).affine
    affine[0, 3] += 2
    write_image(trial.mask(), np.ones((5, 6, 4), dtype=bool), affine)


def _swapped_axes(trial) -> None:
    image = nib.load(trial.bold())
    write_image(trial.bold(), np.swapaxes(np.asarray(image.dataobj), 0, 1), image.affine, t_r=2.0)


def _no_confounds(trial) -> None:
    trial.confounds().unlink()


def _short_confounds(trial) -> None:
    lines = trial.confounds().read_text().splitlines()
    trial.confounds().write_text("\n".join(lines[:-1]))


def _late_events(trial) -> None:
    trial.events().write_text("onset\tduration\ttrial_type\n0\t2\ttwo\n24\t2\ttwo\n")


def _doubled_events(trial) -> None:
    trial.events().write_text("onset\tduration\ttrial_type\n0\t4\ttwo\n0\t4\ttwo\n")


def _wrong_events(trial) -> None:
    trial.events().write_text("begin\n0\n")


def _broken_sidecar(trial) -> None:
    trial.bold().with_name(trial.bold().name.replace(".nii.gz", ".json")).write_text("{")


def _dangling_link(trial) -> None:
    trial.bold().unlink()
    trial.bold().symlink_to("absent.nii.gz")


@pytest.mark.parametrize(
    ("breaking", "expected"),
    [
        (_empty, ["the file is empty"]),
        (_no_gzip, ["not gzip although its name ends with .gz"]),
        (_cut_image, ["truncated or damaged gzip data"]),
        (_flat_image, ["not a 4D image"]),
        (
            _nan_affine,
            [
                "the affine holds NaN or infinity",
                ELSEWHERE,
            ],
        ),
        (
            _flat_affine,
            [
                "the affine cannot be right",
                ELSEWHERE,
            ],
        ),
        (_no_mask, ["no brain mask belongs to this image"]),
        (_other_mask_shape, ["the mask has another shape than the image"]),
        (_shifted_mask, [ELSEWHERE]),
        (_swapped_axes, ["the mask has another shape than the image"]),
        (_no_confounds, ["no confounds belong to this image"]),
        (_short_confounds, ["the confounds have another number of rows than the run has volumes"]),
        (_late_events, ["events start after the end of the scan"]),
        (_doubled_events, ["the event stands in the table twice"]),
        (_wrong_events, ["the events have no such column", "the events have no such column"]),
        (_broken_sidecar, ["not valid JSON"]),
        (_dangling_link, ["cannot be opened"]),
    ],
)
def test_broken_run_is_told_and_the_rest_is_fine(trial, breaking, expected: list[str]) -> None:
    breaking(trial)
    index = index_dataset(trial.root)
    assert _faults(index) == expected
    assert index.problems == ()
    problem = _run(index).problems[0]
    assert (problem.subject, problem.session) == ("01", "infusion")
    assert problem.file is not None


def test_image_without_orientation(trial) -> None:
    _no_orientation(trial)
    assert "the header does not say where the voxels lie" in _faults(index_dataset(trial.root))


def test_whole_file_of_several_gzip_members_is_not_truncated(trial) -> None:
    raw = gzip.decompress(trial.bold().read_bytes())
    trial.bold().write_bytes(gzip.compress(raw[:1000]) + gzip.compress(raw[1000:]))
    assert _faults(index_dataset(trial.root)) == []


def test_truncated_plain_image(trial) -> None:
    image = nib.load(trial.bold())
    plain = trial.bold().with_suffix("")
    write_image(plain, np.asarray(image.dataobj), image.affine, t_r=2.0)
    trial.bold().unlink()
    assert _faults(index_dataset(trial.root)) == []
    plain.write_bytes(plain.read_bytes()[:-1])
    assert _faults(index_dataset(trial.root)) == ["the image is truncated"]


def test_several_spaces_are_several_runs(trial) -> None:
    image = nib.load(trial.bold())
    for name in ("space-T1w_", ""):
        for ending, data in (
            ("desc-preproc_bold", np.asarray(image.dataobj)),
            ("desc-brain_mask", np.ones((5, 6, 4))),
        ):
            path = (
                trial.func("01", "infusion")
                / f"sub-01_ses-infusion_task-nback_{name}{ending}.nii.gz"
            )
            write_image(path, data, image.affine, {"RepetitionTime": 2.0}, t_r=2.0)
    runs = [
        r for r in index_dataset(trial.root).runs if (r.subject, r.session) == ("01", "infusion")
    ]
    assert {r.space for r in runs} == {None, "T1w", SPACE}
    for run in runs:
        assert run.mask is not None
        assert ("space-" in run.mask.name) == (run.space is not None)
        assert run.space is None or f"space-{run.space}" in run.mask.name
        assert run.confounds is not None


def test_old_confounds_name(trial) -> None:
    old = trial.confounds().with_name(
        "sub-01_ses-infusion_task-nback_desc-confounds_regressors.tsv"
    )
    trial.confounds().rename(old)
    run = _run(index_dataset(trial.root))
    assert run.confounds == old
    assert run.problems == ()


def test_images_that_are_no_preprocessed_run_are_left_out(trial) -> None:
    image = nib.load(trial.bold())
    for name in (
        "echo-1_desc-preproc_bold",
        "space-MNI152NLin6Asym_desc-smoothAROMAnonaggr_bold",
        "space-MNI152NLin6Asym_desc-denoisedSmoothed_bold",
        "space-MNI152NLin6Asym_boldref",
    ):
        path = trial.func("01", "infusion") / f"sub-01_ses-infusion_task-nback_{name}.nii.gz"
        write_image(path, np.asarray(image.dataobj), image.affine, t_r=2.0)
    assert len(index_dataset(trial.root).runs) == 8


def test_no_sessions(tmp_path: Path) -> None:
    func = tmp_path / "derivatives" / "x" / "sub-01" / "func"
    write_table(tmp_path / "participants.tsv", pd.DataFrame({"participant_id": ["sub-01"]}))
    table = func / "sub-01_task-rest_run-1_seg-A_timeseries.tsv"
    write_table(table, pd.DataFrame({"a": [0.5, 1.5]}), {"SamplingFrequency": 0.5})
    index = index_dataset(tmp_path)
    (run,) = index.runs
    assert (run.session, run.kind, run.seg, run.t_r, run.n_volumes) == (
        None,
        "series",
        "A",
        2.0,
        2,
    )
    assert run.problems == ()
    assert index.problems == ()


def test_xcpd_names(tmp_path: Path) -> None:
    xcpd = tmp_path / "xcp_d"
    func = xcpd / "sub-01" / "ses-1" / "func"
    stem = "sub-01_ses-1_task-rest_space-MNI152NLin6Asym"
    affine = np.diag([20.0, 20.0, 20.0, 1.0])
    bold = np.ones((3, 3, 3, 4), dtype=np.float32)
    write_image(
        func / f"{stem}_res-2_desc-denoised_bold.nii.gz", bold, affine, {"RepetitionTime": 1.0}
    )
    write_image(func / f"{stem}_res-2_desc-brain_mask.nii.gz", bold[..., 0] > 0, affine)
    series = func / f"{stem}_seg-4S156Parcels_stat-mean_timeseries.tsv"
    write_table(series, pd.DataFrame({"p": np.arange(4.0)}), {"RepetitionTime": 1.0})
    write_table(func / f"{stem}_seg-4S156Parcels_stat-alff_bold.tsv", pd.DataFrame({"p": [1.0]}))
    (tmp_path / "bids").mkdir()
    write_table(tmp_path / "bids/participants.tsv", pd.DataFrame({"participant_id": ["sub-01"]}))
    runs = index_dataset(tmp_path / "bids", (xcpd,)).runs
    assert [(run.kind, run.seg, run.problems) for run in runs] == [
        ("volume", None, ()),
        ("series", "4S156Parcels", ()),
    ]


def test_mask_may_come_from_another_derivative_folder(trial) -> None:
    other = trial.root / "derivatives" / "xcp_d" / "sub-01" / "ses-infusion" / "func"
    name = trial.bold().name.replace("desc-preproc", "desc-denoised")
    other.mkdir(parents=True)
    shutil.copy(trial.bold(), other / name)
    index = index_dataset(trial.root)
    (run,) = (r for r in index.runs if r.path == other / name)
    assert run.mask == trial.mask()
    assert run.problems == ()


def test_halfpipe_names(tmp_path: Path) -> None:
    func = tmp_path / "derivatives" / "halfpipe" / "sub-01" / "func" / "task-rest"
    affine = np.diag([2.0, 2.0, 2.0, 1.0])
    affine[:3, 3] = -96.5, -132.5, -78.5
    shape = (97, 115, 97)
    stem = "sub-01_task-rest"
    write_image(
        func / f"{stem}_setting-pearson_bold.nii.gz",
        np.zeros((*shape, 1), dtype=np.uint8),
        affine,
        {"RepetitionTime": 2.0},
    )
    mask = np.ones(shape, dtype=bool)
    write_image(func / f"{stem}_setting-pearson_desc-brain_mask.nii.gz", mask, affine)
    write_text(func / f"{stem}_feature-corr_atlas-schaefer_timeseries.tsv", "0.5\t1.5\n1.0\t2.0\n")
    write_json(
        func / f"{stem}_feature-corr_atlas-schaefer_timeseries.json", {"RepetitionTime": 2.0}
    )
    write_text(
        func / f"{stem}_feature-corr_atlas-schaefer_desc-correlation_matrix.tsv", "1.0\t0.5\n"
    )
    write_table(tmp_path / "participants.tsv", pd.DataFrame({"participant_id": ["sub-01"]}))
    series, volume = sorted(index_dataset(tmp_path).runs, key=lambda run: run.kind)
    assert (volume.space, volume.problems) == ("MNI152NLin2009cAsym", ())
    assert (series.seg, series.n_volumes, series.problems) == ("schaefer", 2, ())


def test_people(trial) -> None:
    lines = ["participant_id\tarm\tage", "sub-01\tketamine\t20", "sub-01\tplacebo\t21"]
    lines += ["sub-02\tketamine\tn/a", "sub-09\tplacebo\t22", "n/a\tplacebo\t3"]
    (trial.root / "participants.tsv").write_text("\n".join(lines))
    sessions = trial.root / "sub-01" / "sub-01_sessions.tsv"
    sessions.write_text("session_id\tacq_time\nses-baseline\tn/a\n")
    index = index_dataset(trial.root)
    assert [(p.what, p.subject, p.line) for p in index.problems] == [
        ("the participant stands in the table twice, and the rows differ", "01", 3),
        ("a row without participant", None, 6),
        ("the session has no date", "01", 2),
        ("the participant has a folder but no row in the table", "03", None),
        ("the participant has a folder but no row in the table", "04", None),
    ]
    assert index.problems[0].field == "arm, age"
    assert (
        index.problems[0].found == "arm ketamine, age 20 in line 2; arm placebo, age 21 in line 3"
    )
    assert list(index.participants.index) == ["01", "02", "09"]
    assert index.contradicted == {"01"}
    assert index.participants.loc["01"].isna().all()


def test_rows_that_do_not_differ_leave_the_first(trial) -> None:
    path = trial.root / "participants.tsv"
    path.write_text(path.read_text() + "sub-02\tketamine\t21\n")
    index = index_dataset(trial.root)
    (problem,) = index.problems
    assert problem.what == "the participant stands in the table twice"
    assert (problem.line, problem.field, problem.found) == (6, None, "a row in line 3 already")
    assert index.contradicted == frozenset()
    assert index.participants.loc["02", "arm"] == "ketamine"


def test_no_table_of_participants(trial) -> None:
    (trial.root / "participants.tsv").unlink()
    assert [p.what for p in index_dataset(trial.root).problems] == [
        "the table of participants is missing"
    ]
    (trial.root / "participants.tsv").write_text("id\nsub-01\n")
    assert [p.field for p in index_dataset(trial.root).problems] == ["participant_id"]


def test_phenotype(trial) -> None:
    folder = trial.root / "phenotype"
    write_text(folder / "bprs.tsv", "participant_id\tsession_id\titem1\nsub-01\tses-infusion\t4\n")
    write_text(folder / "wrong.tsv", "person\n1\n")
    index = index_dataset(trial.root)
    assert index.phenotype["bprs"].to_dict("list") == {
        "subject": ["01"],
        "session": ["infusion"],
        "item1": [4],
    }
    assert [Path(p.file or "").name for p in index.problems] == ["wrong.tsv"]


def test_unreadable_folder(trial, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def refuse(path):
        if Path(path) == trial.func("01", "infusion"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    index = index_dataset(trial.root)
    assert len(index.runs) == 7
    assert [(p.what, p.found) for p in index.problems] == [
        ("the folder cannot be read", "Permission denied")
    ]


def test_folders_that_do_not_exist(trial, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        index_dataset(tmp_path / "absent")
    with pytest.raises(DatasetError, match="derivative folder"):
        index_dataset(trial.root, (trial.fmriprep, tmp_path / "absent"))


def test_folder_of_derivative_folders_may_be_given(trial) -> None:
    given = index_dataset(trial.root, (trial.root / "derivatives",))
    assert given.derivatives == (trial.fmriprep,)
    assert len(given.runs) == 8


def test_root_that_is_a_derivative(trial) -> None:
    shutil.copy(trial.root / "participants.tsv", trial.fmriprep)
    index = index_dataset(trial.fmriprep)
    assert index.derivatives == (trial.fmriprep,)
    assert len(index.runs) == 8
    assert index.problems == ()


def test_no_run_at_all(tmp_path: Path) -> None:
    write_table(tmp_path / "participants.tsv", pd.DataFrame({"participant_id": ["sub-01"]}))
    assert [p.what for p in index_dataset(tmp_path).problems] == ["no preprocessed run was found"]
