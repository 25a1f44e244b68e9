"""Which of the runs on disk a scan of the protocol means, or why none can be used."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from phmri.dataset._names import same_number
from phmri.dataset._records import Run, Status
from phmri.dataset._run_events import event_problems, event_remarks
from phmri.exceptions import Problem
from phmri.protocol import Protocol, Scan, SeriesRegion

__all__ = ["Choice", "Wanted", "choose_run", "wanted_runs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The kind of run that the measures of a scan need.

    Parameters
    ----------
    kind : {"volume", "series"} or None
        None when no measure uses the scan: images where there are any.
    segs : frozenset of str
        ``seg-`` labels that the parcellations ask for; empty: any.
    """

    kind: Literal["volume", "series"] | None
    segs: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the data hold for a scan.

    Parameters
    ----------
    status : str
        As in `Cell`.
    reason : str
        Empty when ok.
    run : Run or None
        Only when ``ok``.
    problems : tuple of Problem
        What is wrong.
    remarks : tuple of Problem
        What may be a slip in the run.
    """

    status: Status
    reason: str = ""
    run: Run | None = None
    problems: tuple[Problem, ...] = ()
    remarks: tuple[Problem, ...] = ()


def wanted_runs(protocol: Protocol) -> dict[str, Wanted]:
    """Tell per scan whether its measures need images or tables.

    Parameters
    ----------
    protocol : Protocol
        The trial as declared.

    Returns
    -------
    dict of str to Wanted
        A scan that is used as both counts as images.
    """
    kinds: dict[str, set[Literal["volume", "series"]]] = {name: set() for name in protocol.scans}
    segs: dict[str, set[str]] = {name: set() for name in protocol.scans}
    for measure in protocol.measures.values():
        if measure.is_map:
            kinds[measure.scan].add("volume")
        parcels = measure.parcellation
        for name in measure.used_regions:
            tabular = isinstance(protocol.regions[name], SeriesRegion)
            kinds[measure.scan].add("series" if tabular else "volume")
        if parcels is not None:
            parcellation = protocol.parcellations[parcels]
            kinds[measure.scan].add("series" if parcellation.file is None else "volume")
            if parcellation.file is None and parcellation.seg is not None:
                segs[measure.scan].add(parcellation.seg)
    return {
        name: Wanted(
            kind=None if not kinds[name] else "volume" if "volume" in kinds[name] else "series",
            segs=frozenset(segs[name]),
        )
        for name in protocol.scans
    }


def choose_run(runs: Sequence[Run], protocol: Protocol, scan: Scan, wanted: Wanted) -> Choice:
    """Choose the run of a cell among all runs of its participant, session and task.

    Parameters
    ----------
    runs : sequence of Run
        Candidates.
    protocol : Protocol
        The trial as declared.
    scan : Scan
        From the protocol.
    wanted : Wanted
        Kind that its measures need.

    Returns
    -------
    Choice
    """
    left = [
        run
        for run in runs
        if (wanted.kind is None or run.kind == wanted.kind)
        and (scan.run is None or same_number(run.run, scan.run))
        and (run.kind == "volume" or not wanted.segs or run.seg in wanted.segs)
    ]
    if wanted.kind is None and any(run.kind == "volume" for run in left):
        left = [run for run in left if run.kind == "volume"]
    if not left:
        return Choice(status="missing", reason=_what_else(runs, scan, wanted))
    placed = [run for run in left if _in_space(run, protocol.space)]
    if not placed:
        spaces = ", ".join(sorted({run.space or "native" for run in left}))
        return Choice(status="space", reason=f"in {spaces}; the protocol asks {protocol.space}")
    fine = [run for run in placed if _at_resolution(run, protocol.resolution)]
    if not fine:
        found = ", ".join(
            sorted({f"res-{r.resolution}" if r.resolution else "no res-" for r in placed})
        )
        return Choice(
            status="space", reason=f"{found}; the protocol asks res-{protocol.resolution}"
        )
    if len(fine) > 1:
        return _doubled(fine)
    return _judge(fine[0], scan)


def _what_else(runs: Sequence[Run], scan: Scan, wanted: Wanted) -> str:
    if not runs:
        return "no file"
    found = ", ".join(sorted({run.path.name for run in runs}))
    asked = [f"run-{scan.run}"] if scan.run is not None else []
    if wanted.kind is not None:
        asked.append("an image" if wanted.kind == "volume" else "a table of time series")
    asked += [f"seg-{seg}" for seg in sorted(wanted.segs)]
    return f"the protocol asks {', '.join(asked)}; found only {found}"


def _in_space(run: Run, space: str) -> bool:
    if run.kind == "series" and run.space is None:
        return True
    return (run.space or "native") == space


def _at_resolution(run: Run, resolution: str | None) -> bool:
    if resolution is None or (run.kind == "series" and run.resolution is None):
        return True
    return same_number(run.resolution, resolution)


def _doubled(runs: Sequence[Run]) -> Choice:
    names = ", ".join(sorted(str(run.path) for run in runs))
    hints = []
    if len({run.run for run in runs}) > 1:
        hints.append("name one by `run` of the scan")
    if len({run.resolution for run in runs}) > 1:
        hints.append("name one by `resolution`")
    if len({run.pipeline for run in runs}) > 1:
        hints.append("name one derivative folder")
    if len({run.seg for run in runs}) > 1:
        hints.append("name one by `seg` of the parcellation")
    hint = f" ({'; '.join(hints)})" if hints else ""
    problem = Problem(
        what="more than one file for one run",
        file=str(runs[0].path),
        subject=runs[0].subject,
        session=runs[0].session,
        found=names,
        expected="one" + hint,
    )
    return Choice(
        status="doubled",
        reason=f"{len(runs)} files for one run{hint}: {names}",
        problems=(problem,),
    )


def _judge(run: Run, scan: Scan) -> Choice:
    problems = run.problems
    if scan.conditions and run.events is None:
        problems += (
            Problem(
                what="no events belong to this run, although the protocol names conditions",
                file=str(run.path),
                subject=run.subject,
                session=run.session,
                expected=f"an _events.tsv with {', '.join(scan.conditions)}",
            ),
        )
    if scan.conditions and not problems:
        problems = event_problems(run, scan.conditions)
    if problems:
        reason = "; ".join(dict.fromkeys(problem.what for problem in problems))
        return Choice(status="broken", reason=reason, problems=problems)
    if scan.min_volumes is not None and (run.n_volumes or 0) < scan.min_volumes:
        reason = f"{run.n_volumes} volumes, fewer than {scan.min_volumes}"
        return Choice(status="short", reason=reason)
    remarks = event_remarks(run, scan.conditions) if scan.conditions else ()
    return Choice(status="ok", run=run, remarks=remarks)
