"""Broken inputs: each gives one clear message, exit code 1 or 2, and no half-written file."""

import gzip
import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from tests.e2e.conftest import Trial


@dataclass(frozen=True)
class Broken:
    """What is done to a trial, and what must be said of it."""

    name: str
    damage: Callable[[Trial], object]
    says: tuple[str, ...]
    code: int = 1
    options: tuple[str, ...] = field(default=())
    level: str = "participant"


def _rewrite(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    image = nib.load(path)
    data = change(np.asarray(image.dataobj, dtype=np.float32))
    nib.save(nib.Nifti1Image(data, image.affine, image.header), path)


def _truncate(trial: Trial) -> None:
    content = trial.bold().read_bytes()
    trial.bold().write_bytes(content[: len(content) // 2])


def _corrupt(trial: Trial) -> None:
    content = bytearray(trial.bold().read_bytes())
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(64)
    trial.bold().write_bytes(content)


def _nan_volume(data: np.ndarray) -> np.ndarray:
    data[..., 7] = np.nan
    return data


def _to_float(path: Path) -> None:
    """Store the run as float32, so that it can hold NaN."""
    image = nib.load(path)
    data = np.asarray(image.dataobj, dtype=np.float32)
    header = image.header.copy()
    header.set_data_dtype(np.float32)
    header.set_slope_inter(1, 0)
    nib.save(nib.Nifti1Image(data, image.affine, header), path)


def _nan_volumes(trial: Trial) -> None:
    _to_float(trial.bold())
    _rewrite(trial.bold(), _nan_volume)


def _wrong_affine(trial: Trial) -> None:
    image = nib.load(trial.bold())
    affine = image.affine.copy()
    affine[0, 3] += 10
    data = np.asarray(image.dataobj)
    nib.save(nib.Nifti1Image(data, affine, image.header), trial.bold())


def _swap_axes(trial: Trial) -> None:
    image = nib.load(trial.bold())
    data = np.asarray(image.dataobj, dtype=np.float32).swapaxes(0, 1)
    nib.save(nib.Nifti1Image(data, image.affine), trial.bold())


def _one_volume_only(trial: Trial) -> None:
    image = nib.load(trial.bold())
    data = np.asarray(image.dataobj, dtype=np.float32)[..., 0]
    nib.save(nib.Nifti1Image(data, image.affine), trial.bold())


def _edit_participants(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Trial], None]:
    def damage(trial: Trial) -> None:
        path = trial.bids / "participants.tsv"
        table = change(pd.read_csv(path, sep="\t", dtype=str))
        table.to_csv(path, sep="\t", index=False, na_rep="n/a")

    return damage


def _duplicate_participant(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table, table.iloc[[0]]])


def _unknown_arm(table: pd.DataFrame) -> pd.DataFrame:
    table.loc[0, "arm"] = "midazolam"
    return table


def _one_in_an_arm(trial: Trial) -> None:
    table = pd.read_csv(trial.bids / "participants.tsv", sep="\t", dtype=str)
    second = table.loc[table["arm"] == "ketamine", "participant_id"].iloc[1]
    shutil.rmtree(trial.fmriprep / second)


def _session_without_date(trial: Trial) -> None:
    path = trial.bids / "sub-01" / "sub-01_sessions.tsv"
    table = pd.read_csv(path, sep="\t", dtype=str)
    table["acq_time"] = ["2026-01-05T09:00:00"] * len(table)
    table.loc[1, "acq_time"] = None
    table.to_csv(path, sep="\t", index=False, na_rep="n/a")


def _move_seed(place: str) -> Callable[[Trial], None]:
    return lambda trial: trial.edit_protocol("center_mm: [0.0, 46.8, 9.5]", f"center_mm: {place}")


def _edit(old: str, new: str) -> Callable[[Trial], None]:
    return lambda trial: trial.edit_protocol(old, new)


def _edit_table(
    ending: str, change: Callable[[pd.DataFrame], pd.DataFrame], *, raw: bool = False
) -> Callable[[Trial], None]:
    def damage(trial: Trial) -> None:
        path = trial.beside(ending)
        if raw:
            (path,) = (trial.bids / "sub-01" / "ses-infusion" / "func").glob(f"*{ending}")
        table = change(pd.read_csv(path, sep="\t", na_values="n/a"))
        table.to_csv(path, sep="\t", index=False, na_rep="n/a")

    return damage


def _events(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Trial], None]:
    def damage(trial: Trial) -> None:
        (path,) = (trial.bids / "sub-01" / "ses-infusion" / "func").glob("*nback*_events.tsv")
        change(pd.read_csv(path, sep="\t")).to_csv(path, sep="\t", index=False)

    return damage


def _late_event(table: pd.DataFrame) -> pd.DataFrame:
    table.loc[len(table) - 1, "onset"] = 5000.0
    return table


def _nan_in_motion(table: pd.DataFrame) -> pd.DataFrame:
    table.loc[9, "trans_x"] = np.nan
    return table


def _all_sidecars(trial: Trial, change: Callable[[dict[str, object]], object]) -> None:
    for path in trial.bids.rglob("*bold.json"):
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))


def _no_repetition_time(trial: Trial) -> None:
    _all_sidecars(trial, lambda content: content.pop("RepetitionTime", None))
    image = nib.load(trial.bold())
    header = image.header.copy()
    header["pixdim"][4] = 0
    data = np.asarray(image.dataobj, dtype=np.float32)
    nib.save(nib.Nifti1Image(data, None, header), trial.bold())


def _second_file(trial: Trial) -> None:
    path = trial.bold()
    shutil.copy(path, path.with_name(path.name.replace("_res-2_", "_res-02_")))


def _empty_mask(trial: Trial) -> None:
    _rewrite(trial.beside("desc-brain_mask.nii.gz"), np.zeros_like)


def _replace_by_text(trial: Trial) -> None:
    trial.bold().write_bytes(b"this is not an image\n" * 40)


def _gzipped_text(trial: Trial) -> None:
    trial.bold().write_bytes(gzip.compress(b"this is not an image\n" * 40))


BROKEN = [
    Broken("truncated gzip", _truncate, ("sub-01", "truncated")),
    Broken("corrupt gzip", _corrupt, ("sub-01", "bold.nii.gz")),
    Broken("zero bytes", lambda t: t.bold().write_bytes(b""), ("sub-01", "empty")),
    Broken("text named nii.gz", _replace_by_text, ("sub-01", "gzip")),
    Broken("gzipped text", _gzipped_text, ("sub-01", "bold.nii.gz")),
    Broken("NaN volumes", _nan_volumes, ("sub-01", "volume 7", "not finite")),
    Broken("all-zero run", lambda t: _rewrite(t.bold(), np.zeros_like), ("sub-01", "zero")),
    Broken("wrong affine", _wrong_affine, ("sub-01", "affine")),
    Broken("swapped axes", _swap_axes, ("sub-01", "mask")),
    Broken("3D image", _one_volume_only, ("sub-01", "4D")),
    Broken("empty mask", _empty_mask, ("sub-01", "mask")),
    Broken("no mask", lambda t: t.beside("desc-brain_mask.nii.gz").unlink(), ("sub-01", "mask")),
    Broken("two files for one run", _second_file, ("sub-01", "res-2", "res-02")),
    Broken("no repetition time", _no_repetition_time, ("sub-01", "repetition time")),
    Broken(
        "duplicate participant",
        _edit_participants(_duplicate_participant),
        ("participants.tsv", "sub-01"),
    ),
    Broken(
        "unknown arm",
        _edit_participants(_unknown_arm),
        ("participants.tsv", "midazolam", "placebo, ketamine"),
    ),
    Broken(
        "no participant_id",
        _edit_participants(lambda table: table.rename(columns={"participant_id": "id"})),
        ("participants.tsv", "participant_id"),
    ),
    Broken(
        "no arm column",
        _edit_participants(lambda table: table.drop(columns="arm")),
        ("participants.tsv", "arm"),
    ),
    Broken(
        "participants not text",
        lambda t: (t.bids / "participants.tsv").write_bytes(b"\xff\xfe\x00\x81" * 50),
        ("participants.tsv",),
    ),
    Broken(
        "no participants.tsv",
        lambda t: (t.bids / "participants.tsv").unlink(),
        ("participants.tsv",),
    ),
    Broken("session without date", _session_without_date, ("sub-01", "ses-", "acq_time")),
    Broken(
        "one participant in an arm",
        _one_in_an_arm,
        ("nback_acute", "ketamine", "1 of"),
        level="all",
    ),
    Broken("seed outside the grid", _move_seed("[0.0, 400.0, 9.5]"), ("pgACC", "400")),
    Broken(
        "seed in another template",
        _edit(
            "radius_mm: 10\n    space: MNI152NLin2009cAsym",
            "radius_mm: 10\n    space: MNI152NLin6Asym",
        ),
        ("pgACC", "MNI152NLin6Asym", "MNI152NLin2009cAsym"),
        code=2,
    ),
    Broken(
        "data in another space",
        _edit("MNI152NLin2009cAsym", "MNI152NLin6Asym"),
        ("MNI152NLin2009cAsym",),
    ),
    Broken("events beyond the scan", _events(_late_event), ("sub-01", "events.tsv", "5000")),
    Broken(
        "events without onset",
        _events(lambda table: table.drop(columns="onset")),
        ("sub-01", "events.tsv", "onset"),
    ),
    Broken(
        "condition not in events",
        _edit("conditions: [0back, 2back]", "conditions: [0back, 3back]"),
        ("3back",),
    ),
    Broken(
        "confounds of another length",
        _edit_table("desc-confounds_timeseries.tsv", lambda table: table.iloc[:-3]),
        ("sub-01", "confounds", "37", "40"),
    ),
    Broken(
        "confounds lack columns",
        _edit_table(
            "desc-confounds_timeseries.tsv",
            lambda table: table[[name for name in table if not name.startswith("csf")]],
        ),
        ("sub-01", "csf"),
    ),
    Broken(
        "NaN in motion",
        _edit_table("desc-confounds_timeseries.tsv", _nan_in_motion),
        ("sub-01", "trans_x"),
    ),
    Broken(
        "no confounds",
        lambda t: t.beside("desc-confounds_timeseries.tsv").unlink(),
        ("sub-01", "confounds"),
    ),
    Broken("too short", _edit("min_volumes: 40", "min_volumes: 400"), ("nback_acute",)),
    Broken("no derivatives", lambda t: shutil.rmtree(t.fmriprep), ("derivative",)),
    Broken("no data set", lambda t: shutil.rmtree(t.bids), ("bids",)),
    Broken("data set is a file", lambda t: (shutil.rmtree(t.bids), t.bids.touch()), ("bids",)),
    Broken("unknown participant", lambda _: None, ("99",), options=("--participant-label", "99")),
    Broken("out is a file", lambda t: t.out.touch(), ("out",)),
    Broken("no protocol", lambda t: t.protocol.unlink(), ("trial.yaml",), code=2),
    Broken("not YAML", lambda t: t.protocol.write_text("a: [1, 2\nb: }"), ("trial.yaml",), code=2),
    Broken(
        "unknown key",
        _edit("resolution: ", "resolutoin: "),
        ("trial.yaml", "resolutoin", "resolution"),
        code=2,
    ),
    Broken(
        "two mistakes at once",
        lambda t: (
            t.edit_protocol("estimator: ancova", "estimator: ancovar"),
            t.edit_protocol("kind: parallel", "kind: paralel"),
        ),
        ("ancovar", "paralel"),
        code=2,
    ),
]


@pytest.mark.parametrize("broken", BROKEN, ids=[item.name for item in BROKEN])
def test_one_clear_message(trial: Trial, broken: Broken) -> None:
    broken.damage(trial)
    code, printed = trial.run(broken.level, *broken.options)
    assert code == broken.code, printed
    assert printed.count("phmri: ") == 1
    assert "Traceback" not in printed
    for words in broken.says:
        assert words in printed
    assert trial.leftovers() == []


def test_at_least_thirty_inputs_are_tried() -> None:
    assert len(BROKEN) >= 30


def test_unreadable_folder(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    # Permissions do not bind root, who runs the tests on some machines: the system says no here.
    locked = str(trial.fmriprep / "sub-02")
    import os  # noqa: PLC0415

    scandir = os.scandir

    def refuse(path: object = ".") -> object:
        if str(path).startswith(locked):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    code, printed = trial.run()
    assert code == 1
    assert "sub-02" in printed
    assert "Permission denied" in printed
    assert trial.leftovers() == []


def test_broken_run_is_left_out_where_the_protocol_allows(
    make_trial: Callable[..., Trial],
) -> None:
    trial = make_trial(n_subjects=9)
    trial.edit_protocol("exclusions:", "exclusions:\n  broken_run: exclude")
    _truncate(trial)
    code, printed = trial.run()
    assert code == 0
    assert "truncated" in printed
    assert not list(trial.out.glob("sub-01/ses-infusion/func/*nback*"))
    assert list(trial.out.glob("sub-01/ses-infusion/func/*rest*statmap.nii.gz"))
