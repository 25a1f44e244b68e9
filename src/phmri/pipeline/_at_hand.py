"""The data at hand as if every run were measured and kept: what answering would say of them.

Questions are asked of them by the very functions that answer, so that what is refused beforehand
is refused in the same words. Scores of scales are at hand already, so that their tests are made;
of runs only names of outcomes are known.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from phmri.dataset import Cell, DatasetCheck, DatasetIndex
from phmri.exceptions import DesignError, Problem
from phmri.firstlevel import edge_names
from phmri.pipeline._after_events import count_after_events
from phmri.pipeline._asked import Asked, GroupInputs
from phmri.pipeline._job import RunJob, parcel_name
from phmri.pipeline._labels import PeakLabels
from phmri.pipeline._loading import MeasuredRun, RunKey
from phmri.pipeline._manifest import RunManifest
from phmri.pipeline._outcome_files import unknown_outcome
from phmri.pipeline._ratings import gather_ratings
from phmri.pipeline._tested import test_question
from phmri.protocol import Association, Measure, Protocol, Question, RoiToRoi

__all__ = [
    "AtHand",
    "Happened",
    "outcome_names",
    "refuse_unknown_outcome",
    "suppose_measured",
    "try_scores",
]

Happened = dict[str, frozenset[tuple[str, str]]]
"""Intercurrent event -> participants and sessions that it counts in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AtHand:
    """The data at hand, as if every run were measured and kept.

    Parameters
    ----------
    inputs : GroupInputs
        What questions draw on; there are no results in it.
    counted : DatasetCheck
        Who can answer what after intercurrent events.
    outcomes : dict of str to tuple of str
        Measure -> names of its parcels, nodes or edges, where they are known.
    """

    inputs: GroupInputs
    counted: DatasetCheck
    outcomes: dict[str, tuple[str, ...]]


def suppose_measured(
    protocol: Protocol,
    index: DatasetIndex,
    check: DatasetCheck,
    happened: Happened,
    outcomes: Mapping[str, tuple[str, ...]],
) -> AtHand:
    """Take every run at hand as measured and kept.

    Parameters
    ----------
    protocol : Protocol
    index : DatasetIndex
    check : DatasetCheck
        Of this protocol and this index.
    happened : dict of str to frozenset of (str, str)
        From `find_events`.
    outcomes : mapping of str to tuple of str
        From `outcome_names`.

    Returns
    -------
    AtHand
    """
    cells = (cell for cell in check.cells if cell.status == "ok")
    inputs = GroupInputs(
        protocol=protocol,
        index=index,
        check=check,
        runs={(cell.subject, cell.session, cell.scan): _kept(protocol, cell) for cell in cells},
        ratings=gather_ratings(protocol, index, check),
        happened=happened,
        regions={},
        grid=None,
        labels=PeakLabels(names=(), centres_mm=(), atlas=None),
        out_dir=Path(),
        n_threads=1,
    )
    counted = count_after_events(protocol, index, check, happened)
    return AtHand(inputs=inputs, counted=counted, outcomes=dict(outcomes))


def _kept(protocol: Protocol, cell: Cell) -> MeasuredRun:
    if cell.run is None:
        raise DesignError(Problem(what="a run that is there has no file", subject=cell.subject))
    known: RunKey = (cell.subject, cell.session, cell.scan)
    job = RunJob(
        run=cell.run,
        scan_name=cell.scan,
        scan=protocol.scans[cell.scan],
        session=cell.session,
        measures={},
        denoising={},
        exclusions=protocol.exclusions,
        regions=(),
        series={},
        parcels={},
        start_min=None,
        exposures={},
        maps={},
        out_dir=Path(),
        protocol_sha256="",
        key="",
    )
    manifest = RunManifest(
        step_key="",
        protocol_sha256="",
        subject=known[0],
        session=known[1],
        scan=known[2],
        excluded="",
        n_volumes=cell.run.n_volumes or 0,
    )
    return MeasuredRun(job=job, manifest=manifest)


def refuse_unknown_outcome(at_hand: AtHand, asked: Question | Association) -> None:
    """Refuse ``where.at`` that no outcome of the measure is called.

    Parameters
    ----------
    at_hand : AtHand
    asked : Question or Association

    Raises
    ------
    DesignError
        In the words of those who would read the outcome.
    """
    names = at_hand.outcomes.get(asked.measure, ())
    if asked.where.at is not None and names and asked.where.at not in names:
        raise DesignError(unknown_outcome(at_hand.inputs.protocol, asked, names))


def try_scores(at_hand: AtHand, asked: Asked) -> None:
    """Test the scores of a scale, which wait for no run, and say nothing of the result.

    Parameters
    ----------
    at_hand : AtHand
    asked : Asked

    Notes
    -----
    A `DesignError` or an `InferenceError` says why they cannot be tested, e.g. as all are alike.
    """
    if asked.question.measure in at_hand.inputs.protocol.scales:
        test_question(at_hand.inputs, asked, None)


def outcome_names(jobs: Iterable[RunJob]) -> dict[str, tuple[str, ...]]:
    """Name the parcels, nodes or edges that measures will give.

    Parameters
    ----------
    jobs : iterable of RunJob

    Returns
    -------
    dict of str to tuple of str
        Of measures that are no maps and whose regions could be placed; as the first run has them.
    """
    found: dict[str, tuple[str, ...]] = {}
    for job in jobs:
        for name, measure in job.measures.items():
            if name not in found and not measure.is_map:
                names = _names(job, measure)
                found |= {name: names} if names else {}
    return found


def _names(job: RunJob, measure: Measure) -> tuple[str, ...]:
    parcels = tuple(map(parcel_name, job.parcels.get(measure.parcellation or "", ())))
    if not isinstance(measure, RoiToRoi):
        return parcels
    names = measure.used_regions or parcels
    if measure.summary == "edges":
        return tuple(edge_names(names))
    return names if measure.summary == "nodes" else ()
