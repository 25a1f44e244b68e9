"""A tiny trial, made once, copied for each test."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from phmri.cli import main
from phmri.simulation import make_small_tree


@dataclass(frozen=True)
class Trial:
    """A tiny trial on disk and the means to run it."""

    root: Path
    capture: pytest.CaptureFixture[str]

    @property
    def bids(self) -> Path:
        return self.root / "bids"

    @property
    def out(self) -> Path:
        return self.root / "out"

    @property
    def protocol(self) -> Path:
        return self.root / "trial.yaml"

    @property
    def fmriprep(self) -> Path:
        return self.bids / "derivatives" / "fmriprep"

    def bold(self, subject: str = "01", session: str = "infusion", task: str = "nback") -> Path:
        """Find the image of one run."""
        (path,) = (self.fmriprep / f"sub-{subject}" / f"ses-{session}" / "func").glob(
            f"*task-{task}_*desc-preproc_bold.nii.gz"
        )
        return path

    def beside(self, ending: str, **run: str) -> Path:
        """Find a file that belongs to a run."""
        path = self.bold(**run)
        stem = path.name.split("_space-")[0]
        (found,) = path.parent.glob(f"{stem}*{ending}")
        return found

    def edit_protocol(self, old: str, new: str) -> None:
        """Replace a text in the protocol; it must be there."""
        text = self.protocol.read_text()
        assert old in text
        self.protocol.write_text(text.replace(old, new))

    def run(self, level: str = "participant", *options: str) -> tuple[int, str]:
        """Run the trial; give exit code and all that was printed."""
        return self.call(
            "run",
            str(self.bids),
            str(self.out),
            level,
            "--protocol",
            str(self.protocol),
            "--n-workers",
            "1",
            *options,
        )

    def check(self) -> tuple[int, str]:
        """Check the trial; give exit code and all that was printed."""
        return self.call("check", str(self.protocol), str(self.bids))

    def call(self, *words: str) -> tuple[int, str]:
        """Call the command; give exit code and all that was printed."""
        self.capture.readouterr()
        code = main(words)
        printed = self.capture.readouterr()
        return code, printed.out + printed.err

    def leftovers(self) -> list[Path]:
        """List temporary files that a step left behind."""
        return [path for path in self.root.rglob("*") if path.name.endswith(".part")]


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pristine")
    make_small_tree(root, n_subjects=6)
    return root


@pytest.fixture
def trial(pristine: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Trial:
    root = tmp_path / "trial"
    shutil.copytree(pristine, root)
    return Trial(root=root, capture=capsys)


@pytest.fixture
def make_trial(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Trial]:
    def make(**settings: int) -> Trial:
        root = tmp_path / "made"
        make_small_tree(root, **settings)
        return Trial(root=root, capture=capsys)

    return make
