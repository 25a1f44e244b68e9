"""A trial that is being run: what it is, and how far it has come."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from phmri.dataset import AtlasStore, DatasetCheck, DatasetIndex
from phmri.exceptions import Problem
from phmri.pipeline._job import RunJob
from phmri.pipeline._provenance import StepLog
from phmri.protocol import Protocol

__all__ = ["OnProgress", "Tally", "Trial"]

OnProgress = Callable[[str, int, int], None]


@dataclass(slots=True)
class Tally:
    """Steps so far.

    Parameters
    ----------
    done, kept, excluded, failed : int
        Run now, kept from before, excluded by rule, broken and left out.
    problems : list of Problem
        Everything wrong that the protocol's rules allowed to go on with.
    """

    done: int = 0
    kept: int = 0
    excluded: int = 0
    failed: int = 0
    problems: list[Problem] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A trial that is being run.

    Parameters
    ----------
    protocol : Protocol
    protocol_path : Path
    sha256 : str
        Of the protocol.
    index : DatasetIndex
    check : DatasetCheck
    jobs : list of RunJob
    atlas : AtlasStore
    out_dir : Path
    log : StepLog
    on_progress : callable
        Called as ``on_progress(stage, done, total)``.
    tally : Tally
    """

    protocol: Protocol
    protocol_path: Path
    sha256: str
    index: DatasetIndex
    check: DatasetCheck
    jobs: list[RunJob]
    atlas: AtlasStore
    out_dir: Path
    log: StepLog
    on_progress: OnProgress
    tally: Tally
