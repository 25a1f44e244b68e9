"""Odd but legal input, and hostile circumstances: no traceback, no loss, no silent change."""

import gzip
import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from phmri.dataset import check_dataset, index_dataset, needed_cells
from phmri.exceptions import RegionError
from phmri.protocol import Parcellation, read_protocol
from phmri.signals import Grid, place_parcels
from tests.e2e.conftest import Trial

PHMRI = str(Path(sys.executable).parent / "phmri")


def _digests(root: Path) -> dict[str, str]:
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in root.rglob("*")
        if path.is_file()
    }


def _maps(trial: Trial) -> dict[str, np.ndarray]:
    return {
        path.name: np.asarray(nib.load(path).dataobj)
        for path in sorted(trial.out.glob("sub-*/ses-*/func/*_statmap.nii.gz"))
    }


@pytest.fixture(scope="module")
def expected_maps(
    pristine: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, np.ndarray]:
    root = tmp_path_factory.mktemp("expected")
    shutil.copytree(pristine, root, dirs_exist_ok=True)
    command = [PHMRI, "run", str(root / "bids"), str(root / "out"), "participant"]
    command += ["--protocol", str(root / "trial.yaml"), "--n-workers", "1"]
    subprocess.run(command, check=True, capture_output=True)
    return {
        path.name: np.asarray(nib.load(path).dataobj)
        for path in sorted((root / "out").glob("sub-*/ses-*/func/*_statmap.nii.gz"))
    }


def _tables(trial: Trial) -> list[Path]:
    return [*trial.bids.rglob("*.tsv")]


def _windows(trial: Trial) -> None:
    for path in [*_tables(trial), *trial.bids.rglob("*.json")]:
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")


def _blank_lines(trial: Trial) -> None:
    for path in _tables(trial):
        path.write_bytes(path.read_bytes() + b"\n" * 700)


def _quotes(trial: Trial) -> None:
    for path in _tables(trial):
        lines = [line.split("\t") for line in path.read_text().splitlines()]
        quoted = ["\t".join(f'"{entry}"' for entry in line) for line in lines]
        path.write_text("\n".join(quoted) + "\n")


def _edit_people(old: str, new: str) -> Callable[[Trial], None]:
    def damage(trial: Trial) -> None:
        path = trial.bids / "participants.tsv"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    return damage


def _note_of_everyone(trial: Trial) -> None:
    path = trial.bids / "participants.tsv"
    first, *rest = path.read_text().splitlines()
    rest = [f'{line}\the said "5\'" \x85 and\u2028left' for line in rest]
    path.write_text("\n".join([f"{first}\tnote", *rest]))


def _note_column(trial: Trial) -> None:
    path = trial.beside("desc-confounds_timeseries.tsv")
    table = pd.read_csv(path, sep="\t", na_values="n/a")
    table["note"] = ["moved", *[None] * (len(table) - 1)]
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")


def _loops(trial: Trial) -> None:
    for folder in (trial.bids, trial.fmriprep):
        (folder / "sub-loop").symlink_to("sub-loop")
        (folder / "sub-01" / "ses-loop").symlink_to("ses-loop")


def _link_folder(trial: Trial) -> None:
    away = trial.root / "ein Ørt mit 脳"
    shutil.move(trial.fmriprep / "sub-01", away)
    (trial.fmriprep / "sub-01").symlink_to(away)


def _milliseconds(trial: Trial) -> None:
    _set_header(trial.bold(), pixdim=np.array([1, 8, 8, 8, 2000, 1, 1, 1]), xyzt_units=2 | 16)


def _set_header(path: Path, **fields: object) -> None:
    """Write header fields as they are, which nibabel would not let pass."""
    content = bytearray(gzip.decompress(path.read_bytes()))
    header = nib.Nifti1Header(bytes(content[:348]), check=False)
    for name, value in fields.items():
        header[name] = value
    content[:348] = header.binaryblock
    path.write_bytes(gzip.compress(bytes(content)))


def _no_scaling(trial: Trial) -> None:
    _set_header(trial.bold(), scl_slope=0, scl_inter=0)


def _float_mask(trial: Trial) -> None:
    path = trial.beside("desc-brain_mask.nii.gz")
    image = nib.load(path)
    data = np.asarray(image.dataobj, dtype=np.float32)[..., None] * 255
    nib.save(nib.Nifti1Image(data, image.affine), path)


def _big_endian_float64(trial: Trial) -> None:
    image = nib.load(trial.bold())
    header = image.header.as_byteswapped(">")
    header.set_data_dtype(np.float64)
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj, np.float64), None, header), trial.bold())


def _nifti2(trial: Trial) -> None:
    image = nib.load(trial.bold())
    header = nib.Nifti2Header()
    header.set_data_dtype(np.float64)
    header.set_xyzt_units("mm", "sec")
    again = nib.Nifti2Image(np.asarray(image.dataobj, np.float64), image.affine, header)
    again.header["pixdim"][4] = 2
    nib.save(again, trial.bold())


def _run_numbers(trial: Trial) -> None:
    """Number a run, with a zero in front only where it was preprocessed."""
    for root, number in ((trial.fmriprep, "01"), (trial.bids / "sub-01", "1")):
        for path in list(root.rglob("sub-01_ses-infusion_task-nback_*")):
            name = path.name.replace("acq-simulated", f"acq-simulated_run-{number}")
            path.rename(path.with_name(name))


LEGAL = {
    "run-1 and run-01": _run_numbers,
    "CRLF and byte order marks": _windows,
    "hundreds of blank lines at the end": _blank_lines,
    "quoted cells": _quotes,
    "participants without sub-": _edit_people("sub-", ""),
    "quotes and line separators in a note": _note_of_everyone,
    "column of text among the confounds": _note_column,
    "participant without data": _edit_people("sub-06", "sub-77\tplacebo\tF\t20\nsub-06"),
    "links that lead to themselves": _loops,
    "linked folder, spaces, other alphabets": _link_folder,
    "repetition time in milliseconds": _milliseconds,
    "scl_slope 0": _no_scaling,
    "4D mask of 0 and 255 in float": _float_mask,
    "big-endian float64": _big_endian_float64,
    "NIfTI-2": _nifti2,
}


@pytest.mark.parametrize("change", LEGAL.values(), ids=LEGAL.keys())
def test_same_data_written_otherwise_give_the_same_maps(
    trial: Trial, change: Callable[[Trial], None], expected_maps: dict[str, np.ndarray]
) -> None:
    change(trial)
    code, printed = trial.run()
    assert code == 0, printed
    found = _maps(trial)
    found = {name.replace("_run-01", ""): values for name, values in found.items()}
    assert found.keys() == expected_maps.keys()
    for name, values in expected_maps.items():
        np.testing.assert_allclose(found[name], values, atol=1e-5, err_msg=name)


@dataclass(frozen=True)
class Hostile:
    """What is done to a trial, and what must be said of it."""

    name: str
    damage: Callable[[Trial], object]
    says: tuple[str, ...]
    code: int = 1
    options: tuple[str, ...] = field(default=())
    level: str = "participant"


def _sidecar(trial: Trial) -> Path:
    return Path(str(trial.bold()).replace(".nii.gz", ".json"))


def _broken_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("../.git/annex/objects/MD5E-s12--ab")


def _folders_like_files(trial: Trial) -> None:
    confounds = trial.beside("desc-confounds_timeseries.tsv")
    for path in (trial.bold(), confounds):
        path.unlink()
        path.mkdir()


def _probability_mask(trial: Trial) -> None:
    image = nib.load(trial.beside("desc-brain_mask.nii.gz"))
    data = np.random.default_rng(1).random(image.shape, dtype=np.float32)
    nib.save(nib.Nifti1Image(data, image.affine), trial.root / "probability.nii.gz")
    trial.edit_protocol(
        "    kind: sphere\n    center_mm: [0.0, 46.8, 9.5]\n    radius_mm: 10\n",
        "    kind: mask\n    file: probability.nii.gz\n",
    )


def _rename_session(trial: Trial) -> None:
    for path in sorted(trial.bids.rglob("*ses-infusion*"), key=lambda path: -len(path.parts)):
        path.rename(path.with_name(path.name.replace("ses-infusion", "ses-Infusion")))


HOSTILE = [
    Hostile(
        "session in other letters",
        _rename_session,
        ("ses-infusion", "the data have ses-Infusion"),
        level="all",
    ),
    Hostile(
        "git-annex image",
        lambda t: _broken_link(t.bold()),
        ("sub-01", "a link to a file that is not here"),
    ),
    Hostile(
        "git-annex sidecar", lambda t: _broken_link(_sidecar(t)), ("sub-01", "not here", ".json")
    ),
    Hostile("folders named as files", _folders_like_files, ("sub-01", "Is a directory")),
    Hostile(
        "JSON nested without end",
        lambda t: _sidecar(t).write_text('{"a": ' + "[" * 100_000),
        ("sub-01", "bold.json", "cannot be read"),
    ),
    Hostile(
        "JSON with a number of 5000 digits",
        lambda t: _sidecar(t).write_text('{"RepetitionTime": ' + "9" * 5000 + "}"),
        ("sub-01", "bold.json", "cannot be read"),
    ),
    Hostile(
        "infinite offset in the header",
        lambda t: _set_header(t.beside("desc-brain_mask.nii.gz"), vox_offset=np.inf),
        ("sub-01", "mask.nii.gz", "makes no sense"),
    ),
    Hostile(
        "leading zeros lost",
        _edit_people("sub-0", ""),
        ("participants.tsv", "sub-01", "one for sub-1", "leading zeros"),
    ),
    Hostile(
        "n/a arm", _edit_people("\tketamine\tF\t38", "\tn/a\tF\t38"), ("sub-03", "arm", "n/a")
    ),
    Hostile("region of probabilities", _probability_mask, ("pgACC", "fractions", "cut the map")),
    Hostile(
        "empty label",
        lambda _: None,
        ("no such participant",),
        options=("--participant-label", ""),
    ),
]


@pytest.mark.parametrize("hostile", HOSTILE, ids=[item.name for item in HOSTILE])
def test_one_clear_message(trial: Trial, hostile: Hostile) -> None:
    hostile.damage(trial)
    code, printed = trial.run(hostile.level, *hostile.options)
    assert code == hostile.code, printed
    assert printed.count("phmri: ") == 1
    for words in hostile.says:
        assert words in printed
    assert trial.leftovers() == []


def test_frequency_of_infinity_is_no_repetition_time(trial: Trial) -> None:
    _sidecar(trial).write_text('{"SamplingFrequency": 1e999}')
    code, printed = trial.run()
    assert code == 0, printed


def test_derivatives_named_twice_are_read_once(trial: Trial) -> None:
    again = str(trial.fmriprep / ".." / "fmriprep")
    options = ("--derivatives", str(trial.fmriprep), "--derivatives", again)
    code, printed = trial.run("participant", *options)
    assert code == 0, printed


@pytest.mark.parametrize(
    "damage",
    [
        _edit_people("sub-05\tlamotrigine_ketamine", "sub-05\tn/a"),
        _edit_people("sub-05\t", "sub-05\tplacebo\tM\t20\nsub-05\t"),
        lambda trial: (trial.bids / "sub-05" / "sub-05_sessions.tsv").write_text(""),
        lambda trial: trial.bold("05").write_bytes(b""),
        _edit_people("sub-05\tlamotrigine_ketamine\tF\t23\n", ""),
    ],
    ids=["no arm", "two rows", "empty sessions", "empty image", "no row"],
)
def test_excluded_participant_cannot_stop_the_trial(
    trial: Trial, damage: Callable[[Trial], object]
) -> None:
    damage(trial)
    assert trial.run()[0] == 1
    words = 'exclusions:\n  participants: {"05": screening failure}'
    trial.edit_protocol("exclusions:", words)
    code, printed = trial.run()
    assert code == 0, printed


@pytest.mark.parametrize(
    "place",
    [
        "bids",
        "bids/derivatives",
        "bids/sub-01",
        "bids/derivatives/fmriprep",
        "bids/derivatives/fmriprep/phmri",
        "another program",
    ],
)
def test_input_is_never_written_into(trial: Trial, place: str) -> None:
    if place == "another program":
        shutil.copytree(trial.fmriprep, trial.root / place)
    out = trial.root / place
    before = _digests(trial.root)
    words = ("run", str(trial.bids), str(out), "all", "--protocol", str(trial.protocol))
    code, printed = trial.call(*words)
    assert code == 1
    assert "results would be mixed into other data" in printed
    assert _digests(trial.root) == before


def test_folders_that_cannot_be_written_are_told_at_once(trial: Trial) -> None:
    loop = trial.root / "loop"
    loop.symlink_to("loop")
    (trial.root / "file").touch()
    latin = os.fsdecode(b"out_\xdcbung")
    for place, words in ((loop, "leads to itself"), (trial.root / "file", "a file, where"),
                         (trial.root / latin, "not UTF-8")):  # fmt: skip
        call = ("run", str(trial.bids), str(place), "all", "--protocol", str(trial.protocol))
        code, printed = trial.call(*call)
        assert code == 1
        assert "results cannot be written there" in printed
        assert words in printed
    with pytest.raises(SystemExit):
        trial.call("run", str(trial.bids), "", "all", "--protocol", str(trial.protocol))


def test_motion_that_nobody_knows_is_not_below_the_limit(trial: Trial) -> None:
    trial.edit_protocol("  max_mean_fd_mm: 0.5", "  max_mean_fd_mm: 0.4")
    (table,) = trial.fmriprep.glob("sub-01/ses-infusion/func/*rest*_timeseries.tsv")
    content = pd.read_csv(table, sep="\t", na_values="n/a")
    content["framewise_displacement"] = np.nan
    content.to_csv(table, sep="\t", index=False, na_rep="n/a")
    for code, printed in (trial.check(), trial.run()):
        assert code == 1
        assert "max_mean_fd_mm cannot be judged" in printed
        assert "sub-01, ses-infusion, framewise_displacement" in printed
    assert not trial.out.exists()


def test_what_confounds_lack_is_foreseen(trial: Trial) -> None:
    tables = sorted(trial.fmriprep.glob("sub-0[12]/ses-infusion/func/*rest*_timeseries.tsv"))
    for path, change in zip(tables, ({"trans_x": np.inf}, {"rot_z": None}), strict=True):
        content = pd.read_csv(path, sep="\t", na_values="n/a").assign(**change)
        content.dropna(axis=1, how="all").to_csv(path, sep="\t", index=False, na_rep="n/a")
    code, printed = trial.check()
    assert code == 1
    for words in ("sub-01", "trans_x", "sub-02", "rot_z", "lacks", "will stop at these problems"):
        assert words in printed


def test_results_among_the_derivatives_are_fine(trial: Trial) -> None:
    out = trial.bids / "derivatives" / "phmri"
    words = ("run", str(trial.bids), str(out), "participant", "--protocol", str(trial.protocol))
    before = _digests(trial.bids)
    assert trial.call(*words, "--n-workers", "1")[0] == 0
    code, printed = trial.call(*words, "--n-workers", "1")
    assert code == 0, printed
    assert "36 kept" in printed
    after = _digests(trial.bids)
    assert {name: after[name] for name in before} == before


def test_demo_does_not_overwrite_a_trial(trial: Trial) -> None:
    (trial.root / "truth.yaml").unlink()
    before = _digests(trial.root)
    code, printed = trial.call("demo", "weigner2025", str(trial.root))
    assert code == 1
    assert "the demo would overwrite what is there; found trial.yaml, bids" in printed
    assert _digests(trial.root) == before


def test_text_is_no_markup(trial: Trial) -> None:
    trial.edit_protocol('title: "', 'title: "[/b] [red]A trial: ')
    code, printed = trial.check()
    assert code == 0
    assert "[/b] [red]A trial" in printed
    code, printed = trial.call("new", "minimal_parallel", str(trial.root / "mine [bold]" / "[/x]"))
    assert code == 0
    assert "mine [bold]/[/x]/trial.yaml" in printed


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--n-workers", "many", "'many' is not a whole number of at least 1"),
        ("--n-workers", "0", "'0' is not a whole number of at least 1"),
        ("--memory-gb", "inf", "'inf' is not a number above 0"),
        ("--memory-gb", "nan", "'nan' is not a number above 0"),
        ("--memory-gb", "all", "'all' is not a number above 0"),
    ],
)
def test_numbers_that_are_none(trial: Trial, option: str, value: str, says: str) -> None:
    with pytest.raises(SystemExit) as caught:
        trial.run("participant", option, value)
    assert caught.value.code == 2
    assert says in trial.capture.readouterr().err


def _shell(command: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        ["/bin/bash", "-c", command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_poor_terminals(trial: Trial) -> None:
    check = shlex.join([PHMRI, "check", str(trial.protocol), str(trial.bids)])
    poor = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "COLUMNS": "40"}
    code, printed = _shell(check, **poor)
    assert code == 0, printed
    assert "sub-06" in printed
    code, printed = _shell(f"{check} > /dev/full")
    assert code == 1
    assert "No space left" in printed
    assert "Traceback" not in printed


def _start(trial: Trial) -> subprocess.Popen[str]:
    """Start a run and wait until it has finished its first step."""
    process = subprocess.Popen(
        [
            *(PHMRI, "run", str(trial.bids), str(trial.out), "participant"),
            *("--protocol", str(trial.protocol), "--n-workers", "1"),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not list(trial.out.glob("sub-*/ses-*/func/*run.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    return process


def test_termination_unwinds_like_an_interrupt(make_trial: Callable[..., Trial]) -> None:
    trial = make_trial(n_subjects=6, n_volumes=100)
    process = _start(trial)
    process.terminate()
    printed = process.communicate(timeout=60)[0]
    assert process.returncode == 128 + signal.SIGTERM
    assert "Finished steps are kept" in printed
    assert "Traceback" not in printed
    assert trial.leftovers() == []


def test_what_a_killed_run_leaves_is_cleared(make_trial: Callable[..., Trial]) -> None:
    trial = make_trial(n_subjects=6, n_volumes=100)
    process = _start(trial)
    process.kill()
    process.communicate(timeout=60)
    finished = len(list(trial.out.glob("sub-*/ses-*/func/*run.json")))
    report = next(trial.out.glob("sub-*/ses-*/func/*run.json"))
    (report.parent / f".{report.name}.0badcafe.part").write_text("{")
    report.unlink()
    code, printed = trial.run()
    assert code == 0
    assert f"{finished - 1} kept" in printed
    assert trial.leftovers() == []


def test_every_arm_stays_in_the_model_of_a_parallel_question(trial: Trial) -> None:
    protocol, index = read_protocol(trial.protocol), index_dataset(trial.bids)
    check = check_dataset(protocol, index)
    cells = needed_cells(protocol, "nback_acute", check, index.participants)
    groups = [next(iter(roles.values())).group for roles in cells.values()]
    assert sorted(groups) == sorted(["placebo", "ketamine", "lamotrigine_ketamine"] * 2)
    (question,) = (item for item in check.questions if item.question == "nback_acute")
    assert question.n_per_group == {"ketamine": 2, "placebo": 2}
    assert question.n_beside == {"lamotrigine_ketamine": 2}
    text = trial.protocol.read_text()
    first, rest = text.split("  rest_acute:\n    text")[0], text.split("\ninference:")[1]
    trial.protocol.write_text(f"{first}\ninference:{rest}")
    code, printed = trial.run("all")
    assert code == 0, printed
    claim = (trial.out / "group" / "question-nbackacute" / "claim.json").read_text()
    assert "held all arms (placebo, ketamine, lamotrigine then ketamine)" in claim
    assert json.loads(claim)["claim"]["n_per_group"]["lamotrigine_ketamine"] == 2


def test_parcel_names_must_be_complete(tmp_path: Path) -> None:
    grid = Grid(shape=(4, 4, 4), affine=np.diag([2.0, 2, 2, 1]), space="native")
    labels = np.ones(grid.shape, np.float32) * 0.9999  # as integers with a scale factor read
    nib.save(nib.Nifti1Image(labels, grid.affine), tmp_path / "atlas.nii.gz")
    (tmp_path / "atlas.tsv").write_text("index\tname\none\tleft\n")
    parcels = Parcellation(file="atlas.nii.gz", names="atlas.tsv", space="native")
    with pytest.raises(RegionError, match="not complete"):
        place_parcels(parcels, grid, protocol_dir=tmp_path)
    (tmp_path / "atlas.tsv").write_text("index\tname\n1\tleft\n")
    (parcel,) = place_parcels(parcels, grid, protocol_dir=tmp_path)
    assert parcel.name == "left"
    assert len(parcel.voxels) == 64
