"""Shuffling that survives an interruption: where it stands is kept beside the answer."""

import time
from collections.abc import Callable
from pathlib import Path

from phmri.dataset import read_arrays, write_arrays
from phmri.exceptions import DatasetError
from phmri.inference import PermutationState

__all__ = ["KeptState", "forget_shuffling", "state_path"]

SECONDS = 15.0
"""Between two times that the state is written."""


def state_path(folder: Path) -> Path:
    """Name the file in which unfinished shuffling is kept.

    Parameters
    ----------
    folder : Path
        Of the question.

    Returns
    -------
    Path
    """
    return folder / "unfinished_shuffling.npz"


def forget_shuffling(folder: Path) -> None:
    """Remove what unfinished shuffling left: it is needed no more.

    Parameters
    ----------
    folder : Path
        Of the question.
    """
    state_path(folder).unlink(missing_ok=True)


class KeptState:
    """Where shuffling stands, written now and then.

    Parameters
    ----------
    folder : Path
        Of the question.
    on_progress : callable
        Called with the number of shufflings done.
    """

    def __init__(self, folder: Path, on_progress: Callable[[int], None]) -> None:
        self.path = state_path(folder)
        self.on_progress = on_progress
        self.written = time.monotonic()
        self.last: PermutationState | None = None

    def read(self) -> PermutationState | None:
        """Read what an earlier run left.

        Returns
        -------
        PermutationState or None
            None when there is nothing, or it is damaged.
        """
        if not self.path.is_file():
            return None
        try:
            arrays = read_arrays(self.path)
            return PermutationState(
                key=str(arrays["key"]),
                n_done=len(arrays["maxima"]),
                exceeded=arrays["exceeded"],
                maxima=arrays["maxima"],
            )
        except (DatasetError, KeyError):  # damaged since: as good as not there
            return None

    def keep(self, state: PermutationState) -> None:
        """Report progress, and write the state if the last time is long ago.

        Parameters
        ----------
        state : PermutationState
        """
        self.last = state
        self.on_progress(state.n_done)
        if time.monotonic() - self.written >= SECONDS:
            self.store()

    def store(self) -> None:
        """Write where shuffling stood the last time, if it has begun."""
        if self.last is not None:
            write_arrays(
                self.path,
                {
                    "key": self.last.key,
                    "exceeded": self.last.exceeded,
                    "maxima": self.last.maxima,
                },
            )
            self.written = time.monotonic()
