"""Progress bars with time left, on a terminal; plain lines elsewhere."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

__all__ = ["ProgressBars"]

_SECONDS_BETWEEN_LINES = 10.0


class ProgressBars:
    """Show how far each stage of a run is.

    Use as a context manager and hand `update` to whatever does the work.
    """

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._interactive = console.is_terminal
        self._bars = Progress(
            TextColumn("{task.description:<24}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("elapsed"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}
        self._last_line: dict[str, float] = {}

    def __enter__(self) -> "ProgressBars":
        if self._interactive:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._interactive:
            self._bars.stop()

    def update(self, stage: str, done: int, total: int) -> None:
        """Show that a stage has come so far.

        Parameters
        ----------
        stage : str
            Name of the stage, e.g. ``First levels``.
        done, total : int
            Steps finished and steps in all.
        """
        if self._interactive:
            if stage not in self._tasks:
                self._tasks[stage] = self._bars.add_task(stage, total=total)
            self._bars.update(self._tasks[stage], completed=done, total=total)
            return
        recent = time.monotonic() - self._last_line.get(stage, -_SECONDS_BETWEEN_LINES)
        if recent >= _SECONDS_BETWEEN_LINES or done == total:
            self._last_line[stage] = time.monotonic()
            sys.stderr.write(f"{stage}: {done} of {total}\n")
            sys.stderr.flush()
