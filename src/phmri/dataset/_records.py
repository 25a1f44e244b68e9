"""What the index of a BIDS tree holds, and what was found to be wrong with it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float

from phmri.exceptions import Problem

__all__ = [
    "AssociationCheck",
    "Cell",
    "Confounds",
    "DatasetCheck",
    "DatasetIndex",
    "DosingRow",
    "Events",
    "Image",
    "Physio",
    "QuestionCheck",
    "Run",
    "Series",
]

Status = Literal["ok", "not planned", "missing", "doubled", "short", "space", "broken", "excluded"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One preprocessed run with the files that belong to it.

    Parameters
    ----------
    subject, task : str
        BIDS labels without prefix.
    session, run, space, resolution, seg : str or None
        BIDS labels without prefix, None where the name has no such entity.
    kind : {"volume", "series"}
        A 4D NIfTI image, or tabular time series of parcels.
    pipeline : str
        Name of the program that wrote it (``GeneratedBy`` of its derivative folder).
    path : Path
        The image or the table.
    mask, confounds, events : Path or None
        Brain mask, confound table and events that belong to it.
    t_r : float or None
        Repetition time in seconds.
    n_volumes : int or None
        Length of the run.
    shape : tuple of int or None
        Spatial shape.
    affine : ndarray of shape (4, 4) or None
        Voxel to mm.
    problems : tuple of Problem
        All that is wrong with these files as far as their headers tell.
    physio : tuple of Path
        Pulse and breathing recordings of the raw run, unread; empty where there are none.
    dosing : tuple of Path
        Sidecars of the raw run with ``Pharmaceutical…`` fields, unread, the most general first.
    tissues : tuple of Path
        From `find_tissues`, where noise is by tissue; else empty.
    """

    subject: str
    session: str | None
    task: str
    run: str | None
    space: str | None
    resolution: str | None
    seg: str | None
    kind: Literal["volume", "series"]
    pipeline: str
    path: Path
    mask: Path | None
    confounds: Path | None
    events: Path | None
    t_r: float | None
    n_volumes: int | None
    shape: tuple[int, int, int] | None
    affine: Float[np.ndarray, "4 4"] | None
    problems: tuple[Problem, ...] = ()
    physio: tuple[Path, ...] = ()
    dosing: tuple[Path, ...] = ()
    tissues: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetIndex:
    """All runs and tables under a BIDS root and its derivative folders.

    Parameters
    ----------
    root : Path
        The BIDS root.
    derivatives : tuple of Path
        Derivative folders searched, in order.
    runs : tuple of Run
        Sorted by subject, session, task, run, path.
    participants : DataFrame
        ``participants.tsv``, index ``participant_id`` without ``sub-``, text columns as str,
        ``n/a`` as missing.
    sessions : DataFrame
        All ``sessions.tsv`` stacked: columns ``subject``, ``session`` (no prefixes) and the rest.
    phenotype : dict of str to DataFrame
        ``phenotype/<stem>.tsv``: columns ``subject``, ``session`` (if there) and the rest.
    problems : tuple of Problem
        Problems of the tree as a whole, not of one run.
    contradicted : frozenset of str
        Participants with rows in ``participants.tsv`` that differ: nobody knows which is right.
    """

    root: Path
    derivatives: tuple[Path, ...]
    runs: tuple[Run, ...]
    participants: pd.DataFrame
    sessions: pd.DataFrame
    phenotype: dict[str, pd.DataFrame]
    problems: tuple[Problem, ...] = ()
    contradicted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One participant x session x scan of the protocol, and what the data hold for it.

    Parameters
    ----------
    subject, session, scan : str
    group : str or None
        Arm or sequence of the participant; None where it is unknown.
    treatment : str or None
        What the participant received in (parallel: by) this session.
    status : str
        ``ok``, ``not planned``, ``missing``, ``doubled``, ``short``, ``space``, ``broken``,
        ``excluded``.
    reason : str
        Empty when ok.
    run : Run or None
        The run to be used; None unless ok.
    """

    subject: str
    session: str
    scan: str
    group: str | None
    treatment: str | None
    status: Status
    reason: str
    run: Run | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionCheck:
    """Whether the data at hand can answer a question.

    Parameters
    ----------
    question : str
        Key in ``protocol.questions``.
    role : str
        As in the protocol.
    n_per_group : dict of str to int
        Participants with all runs that the question needs, per arm or sequence of its contrast.
    n_beside : dict of str to int
        The same of the other arms, which stay in the model of a parallel question.
    answerable : bool
        Enough participants have all that it needs.
    reason : str
        Why not; empty when answerable.
    """

    question: str
    role: str
    n_per_group: dict[str, int]
    n_beside: dict[str, int]
    answerable: bool
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationCheck:
    """Whether the data at hand can tell how an outcome goes with a score.

    Parameters
    ----------
    association : str
        Key in ``protocol.associations``.
    role, measure, scale : str
        As in the protocol; the scale with its subscale.
    n_per_group : dict of str to int
        Participants with both the outcome and the score, per arm or sequence.
    answerable : bool
        Enough participants have all that it needs.
    reason : str
        Why not; empty when answerable.
    note : str
        What must be known beside it.
    """

    association: str
    role: str
    measure: str
    scale: str
    n_per_group: dict[str, int]
    answerable: bool
    reason: str
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetCheck:
    """The data set seen through the protocol.

    Parameters
    ----------
    cells : tuple of Cell
        Participants x sessions x scans, in that order.
    questions : tuple of QuestionCheck
        One per question of the protocol.
    problems : tuple of Problem
        Everything wrong, of the tree, of single runs, of scales and of tables.
    ratings : tuple of Cell
        Participants x sessions x the scales that are asked about.
    associations : tuple of AssociationCheck
        One per association of the protocol.
    remarks : tuple of Problem
        What may be right and may be a slip: nothing stops at it.
    """

    cells: tuple[Cell, ...]
    questions: tuple[QuestionCheck, ...]
    problems: tuple[Problem, ...]
    ratings: tuple[Cell, ...] = ()
    associations: tuple[AssociationCheck, ...] = ()
    remarks: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """A 3D or 4D image in memory.

    Parameters
    ----------
    data : ndarray of shape (x, y, z) or (x, y, z, n)
        Values.
    affine : ndarray of shape (4, 4)
        Voxel to mm.
    """

    data: np.ndarray
    affine: Float[np.ndarray, "4 4"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Confounds:
    """A confound table.

    Parameters
    ----------
    names : tuple of str
        Column names as written in the file.
    values : ndarray of shape (n_volumes, n_columns)
        ``n/a`` is NaN.
    metadata : dict
        Sidecar: per column, e.g. ``Method``, ``Mask``, ``Retained``; empty without sidecar.
    path : str
        For messages.
    """

    names: tuple[str, ...]
    values: Float[np.ndarray, "n_volumes n_columns"]
    metadata: dict[str, dict[str, object]]
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """The events of one run.

    Parameters
    ----------
    onset, duration : ndarray of shape (n_events,)
        Seconds from the first volume of the file, before any volume is removed.
    trial_type : tuple of str
        One per event.
    columns : dict of str to ndarray of shape (n_events,)
        Every further column of numbers, such as a response time, in the file's unit; ``n/a`` is
        NaN, which whoever uses a column has to look for.
    """

    onset: Float[np.ndarray, " n_events"]
    duration: Float[np.ndarray, " n_events"]
    trial_type: tuple[str, ...]
    columns: dict[str, Float[np.ndarray, " n_events"]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Tabular time series.

    Parameters
    ----------
    names : tuple of str
        Parcels.
    values : ndarray of shape (n_volumes, n_parcels)
        One column per parcel.
    path : str
        File, for messages.
    """

    names: tuple[str, ...]
    values: Float[np.ndarray, "n_volumes n_parcels"]
    path: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Physio:
    """A recording of pulse, breathing or both, sampled at equal steps.

    Parameters
    ----------
    times_s : ndarray of shape (n_samples,)
        Seconds from the start of the first volume; negative before it.
    cardiac, respiratory, trigger : ndarray of shape (n_samples,) or None
        In the device's units, finite; None where the file has no such column.
    sampling_hz : float
        Samples per second.
    start_s : float
        Time of the first sample.
    path : str
        For messages.
    """

    times_s: Float[np.ndarray, " n_samples"]
    cardiac: Float[np.ndarray, " n_samples"] | None
    respiratory: Float[np.ndarray, " n_samples"] | None
    trigger: Float[np.ndarray, " n_samples"] | None
    sampling_hz: float
    start_s: float
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DosingRow:
    """One administration as it was given.

    Parameters
    ----------
    subject : str
        BIDS label without prefix.
    session : str or None
        BIDS label without prefix; None where the data have no sessions.
    drug, route : str
        As the protocol names them.
    amount : float
        In `unit`: a whole amount (mg, mg/kg), or a rate (mg/h, mg/kg/h) over the duration.
    unit : {"mg", "mg/kg", "mg/h", "mg/kg/h"}
        Of `amount`.
    start, duration : float
        Seconds from the first volume of `scan` and seconds; minutes from time zero and minutes
        where `scan` is None.
    scan : str or None
        Scan of the protocol that the clock belongs to.
    line : int or None
        Line of the log, for messages; None where the sidecar of a run tells of it.
    """

    subject: str
    session: str | None
    drug: str
    route: str
    amount: float
    unit: str
    start: float
    duration: float
    scan: str | None
    line: int | None
