"""What a demo must not be written over: a lab's own protocol and data."""

from pathlib import Path

from phmri.exceptions import OutputError, Problem

__all__ = ["refuse_foreign_demo"]


def refuse_foreign_demo(folder: Path) -> None:
    """Refuse to simulate over a trial that is no simulation.

    Parameters
    ----------
    folder : Path
        Where the demo would go.

    Raises
    ------
    OutputError
        It holds a protocol or a data set, and nothing that says that it is a demo.
    """
    is_demo = (folder / "truth.yaml").is_file()  # simulate_demo writes it, nobody else does
    own = [folder / name for name in ("trial.yaml", "bids") if (folder / name).exists()]
    if own and not is_demo:
        raise OutputError(
            Problem(
                what="the demo would overwrite what is there",
                file=str(folder),
                found=", ".join(path.name for path in own),
                expected="an empty or new folder, or an earlier demo",
            )
        )
