"""What a demo must not be written over: a lab's own protocol, truth and data."""

from pathlib import Path

from phmri.exceptions import OutputError, Problem
from phmri.simulation import is_earlier_demo

__all__ = ["refuse_foreign_demo"]


def refuse_foreign_demo(folder: Path) -> None:
    """Refuse to write a demo over a trial that is no demo.

    Parameters
    ----------
    folder : Path
        Where the demo would go.

    Raises
    ------
    OutputError
        It holds a protocol, a truth or a data set that no demo has written.
    """
    names = ("trial.yaml", "truth.yaml", "bids")
    if not is_earlier_demo(folder):
        raise OutputError(
            Problem(
                what="the demo would overwrite what is there",
                file=str(folder),
                found=", ".join(name for name in names if (folder / name).exists()),
                expected="an empty or new folder, or an earlier demo",
            )
        )
