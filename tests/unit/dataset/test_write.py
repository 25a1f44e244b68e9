import json
import os
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal

from phmri.dataset import (
    read_image,
    read_table,
    write_bytes,
    write_image,
    write_json,
    write_table,
    write_text,
    write_volumes,
)
from phmri.exceptions import OutputError

LIMITED = """
import resource, sys, numpy as np
from pathlib import Path
from phmri.dataset import write_bytes, write_image, write_json, write_table
from phmri.exceptions import OutputError
import pandas as pd
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
folder = Path(sys.argv[1])
noise = np.random.default_rng(0).normal(size=(30, 30, 30)).astype("f4")
n_refused = 0
for name, write in {
    "image.nii.gz": lambda path: write_image(path, noise, np.eye(4)),
    "image.nii": lambda path: write_image(path, noise, np.eye(4)),
    "table.tsv": lambda path: write_table(path, pd.DataFrame({"a": np.arange(9000.0)})),
    "content.json": lambda path: write_json(path, list(range(9000))),
    "old.bin": lambda path: write_bytes(path, bytes(30_000)),
}.items():
    try:
        write(folder / name)
    except OutputError as error:
        n_refused += str(folder / name) in str(error) and "too large" in str(error)
print(n_refused)
"""


def test_disk_that_takes_no_more_leaves_nothing_behind(tmp_path: Path) -> None:
    """A real refusal by the system, by a limit on file size, in a process of its own."""
    (tmp_path / "old.bin").write_bytes(b"old")
    result = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert result.stdout.strip() == "5", result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["old.bin"]
    assert (tmp_path / "old.bin").read_bytes() == b"old"


def test_full_disk_tells_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputError, match=r"x\.txt.*No space left.*free some space"):
        write_text(tmp_path / "x.txt", "text")
    assert list(tmp_path.iterdir()) == []


def test_error_while_volumes_are_made_leaves_nothing(tmp_path: Path) -> None:
    def volumes():
        yield np.zeros((2, 2, 2))
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        write_volumes(
            tmp_path / "x.nii.gz", volumes(), (2, 2, 2, 3), np.eye(4), dtype=np.int16, t_r=1.0
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("n_given", [2, 4])
def test_another_number_of_volumes_is_refused(tmp_path: Path, n_given: int) -> None:
    with pytest.raises(OutputError, match="not those promised"):
        write_volumes(
            tmp_path / "x.nii",
            [np.zeros((2, 2, 2))] * n_given,
            (2, 2, 2, 3),
            np.eye(4),
            dtype=np.int16,
            t_r=1.0,
        )
    assert list(tmp_path.iterdir()) == []


def test_folder_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot be written"):
        write_text(tmp_path / "file" / "inside.txt", "text")


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_image_round_trip(tmp_path: Path, ending: str) -> None:
    data = np.random.default_rng(0).normal(size=(4, 5, 6)).astype(np.float32)
    data[0, 0, 0] = np.nan
    affine = np.array(
        [[0.0, -2.0, 0.0, 5.0], [3.0, 0.0, 0.0, 1.0], [0.0, 0.0, 4.0, 2.0], [0, 0, 0, 1]]
    )
    path = write_image(tmp_path / f"x{ending}", data, affine, {"Unit": "Fisher z"})
    image = read_image(path, allow_nan=True)
    assert image.data.dtype == np.float32
    assert_array_equal(image.data, data)
    assert_array_equal(image.affine, affine)
    assert_array_equal(nib.load(path).get_fdata(dtype=np.float32), data)
    assert json.loads((tmp_path / "x.json").read_text()) == {"Unit": "Fisher z"}


@pytest.mark.parametrize(
    ("values", "dtype"),
    [([True, False], "u1"), ([0, 255], "u1"), ([-1, 300], "i2"), ([0, 70_000], "i4")],
)
def test_integers_keep_their_values(tmp_path: Path, values: list[int], dtype: str) -> None:
    data = np.resize(np.array(values), (2, 2, 2))
    image = read_image(write_image(tmp_path / "x.nii.gz", data, np.eye(4)))
    assert image.data.dtype == np.dtype(dtype)
    assert_array_equal(image.data, data)


def test_same_input_same_bytes(tmp_path: Path) -> None:
    data = np.random.default_rng(0).normal(size=(8, 8, 8))
    first = write_image(tmp_path / "a.nii.gz", data, np.eye(4)).read_bytes()
    second = write_image(tmp_path / "b.nii.gz", data, np.eye(4)).read_bytes()
    assert first == second


@pytest.mark.parametrize("data", [np.zeros((2, 2)), np.zeros((2, 2, 2), dtype=complex)])
def test_what_is_no_image_is_refused(tmp_path: Path, data: np.ndarray) -> None:
    with pytest.raises(OutputError):
        write_image(tmp_path / "x.nii", data, np.eye(4))


@dataclass
class Record:
    path: Path
    value: float


def test_json_takes_numpy_and_records(tmp_path: Path) -> None:
    content = {
        "b": np.float32(0.5),
        "a": np.array([1, 2]),
        "nan": float("nan"),
        "inf": np.inf,
        "record": (Record(Path("x"), np.nan),),
        "flag": np.bool_(True),
        3: None,
    }
    text = write_json(tmp_path / "x.json", content).read_text()
    assert json.loads(text) == {
        "3": None,
        "a": [1, 2],
        "b": 0.5,
        "flag": True,
        "inf": None,
        "nan": None,
        "record": [{"path": "x", "value": None}],
    }
    assert text.index('"a"') < text.index('"b"')


def test_json_refuses_what_it_cannot_hold(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"set at \.a\[1\]"):
        write_json(tmp_path / "x.json", {"a": [1, {2}]})
    assert list(tmp_path.iterdir()) == []


def test_table_round_trip(tmp_path: Path) -> None:
    table = pd.DataFrame({"name": ["a", None], "value": [0.1 + 0.2, np.nan], "n": [1, 2]})
    path = write_table(tmp_path / "x.tsv", table, {"value": {"Units": "z"}})
    assert path.read_text().splitlines() == [
        "name\tvalue\tn",
        f"a\t{0.1 + 0.2!r}\t1",
        "n/a\tn/a\t2",
    ]
    back = read_table(path)
    assert back["value"].iloc[0] == 0.1 + 0.2
    assert back["n"].dtype == np.int64
    assert (tmp_path / "x.json").is_file()


def test_permissions_follow_the_umask(tmp_path: Path) -> None:
    umask = os.umask(0)
    os.umask(umask)
    path = write_bytes(tmp_path / "x", b"1")
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 20_000
