"""Gather what the report shows, from what the steps left on disk."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from phmri.dataset import Cell, DatasetCheck, DatasetIndex
from phmri.pipeline._answers import QuestionAnswer
from phmri.pipeline._drug import list_doses, list_exposures
from phmri.pipeline._event_words import describe_events, rating_notes
from phmri.pipeline._loading import MeasuredRun, RunKey
from phmri.pipeline._methods import write_methods
from phmri.pipeline._provenance import now
from phmri.pipeline._versions import is_simulated, software_versions
from phmri.protocol import Protocol
from phmri.report import (
    AssociationContent,
    EventContent,
    FamilyContent,
    MapAssociationContent,
    RegionContent,
    ReliabilityContent,
    ReportContent,
    RunContent,
    write_report,
)
from phmri.signals import Grid, RegionOnGrid

__all__ = ["write_trial_report"]


def write_trial_report(  # noqa: PLR0913 - a report is of all these things
    *,
    protocol: Protocol,
    protocol_sha256: str,
    index: DatasetIndex,
    check: DatasetCheck,
    regions: Mapping[str, RegionOnGrid],
    grid: Grid | None,
    runs: Mapping[RunKey, MeasuredRun],
    results: Sequence[QuestionAnswer],
    associations: Sequence[AssociationContent],
    reliabilities: Sequence[ReliabilityContent],
    map_associations: Sequence[MapAssociationContent],
    families: Sequence[FamilyContent],
    happened: Mapping[str, frozenset[tuple[str, str]]],
    out_dir: Path,
    command: str,
) -> Path:
    """Write ``report/index.html``.

    Parameters
    ----------
    protocol : Protocol
    protocol_sha256 : str
    index : DatasetIndex
    check : DatasetCheck
    regions : mapping of str to RegionOnGrid
        Placed on `grid`.
    grid : Grid or None
        None for tabular data.
    runs : mapping of RunKey to MeasuredRun
    results : sequence of QuestionAnswer
    associations : sequence of AssociationContent
    reliabilities : sequence of ReliabilityContent
    map_associations : sequence of MapAssociationContent
    families : sequence of FamilyContent
    happened : mapping of str to frozenset of (str, str)
        Intercurrent event -> participants and sessions that it counts in.
    out_dir : Path
    command : str

    Returns
    -------
    Path
    """
    events = describe_events(protocol, index, check, happened)
    content = ReportContent(
        protocol=protocol,
        protocol_sha256=protocol_sha256,
        check=check,
        groups=_groups(protocol, index),
        runs=tuple(
            _run_content(protocol, cell, runs)
            for cell in check.cells
            if cell.status != "not planned"
        ),
        regions=_region_contents(protocol, regions, grid),
        questions=tuple(result.content for result in results),
        simulated=is_simulated(index),
        methods=(*write_methods(protocol, runs), *_of_people(protocol, index, check, events)),
        versions=software_versions(),
        created=now(),
        command=command,
        exposures=list_exposures(protocol, check, runs),
        doses=list_doses(protocol, index, check),
        families=tuple(families),
        associations=tuple(associations),
        reliabilities=tuple(reliabilities),
        map_associations=tuple(map_associations),
        events=events,
    )
    return write_report(content, out_dir / "report" / "index.html")


def _of_people(
    protocol: Protocol,
    index: DatasetIndex,
    check: DatasetCheck,
    events: Sequence[EventContent],
) -> tuple[str, ...]:
    """Write what was done about intercurrent events and missing items."""
    said = [
        f"Intercurrent event '{event.label}', strategy {event.strategy.replace('_', ' ')}: "
        f"{'; '.join(event.done) or 'it concerns no outcome that is asked about'}."
        for event in events
    ]
    rated = {cell.scan for cell in check.ratings if cell.status == "ok"}
    for name in sorted(rated):
        said += rating_notes(protocol, index, name)
    return tuple(said)


def _groups(protocol: Protocol, index: DatasetIndex) -> dict[str, str]:
    column = protocol.design.column
    if column not in index.participants:
        return dict.fromkeys(map(str, index.participants.index), "all")
    values = index.participants[column].fillna("unknown")
    return {str(subject): str(value) for subject, value in values.items()}


def _run_content(protocol: Protocol, cell: Cell, runs: Mapping[RunKey, MeasuredRun]) -> RunContent:
    measured = runs.get((cell.subject, cell.session, cell.scan))
    manifest = measured.manifest if measured else None
    answering = {item.denoising for item in protocol.measures.values() if item.scan == cell.scan}
    cleanings = manifest.cleaning.items() if manifest else ()
    # Denoisings that are only shown beside an answer say nothing of what the answer rests on.
    own = (item for name, item in cleanings if name in answering)
    strictest = min(own, key=lambda item: item.df, default=None)
    reason = cell.reason or ("not measured" if cell.status == "ok" else cell.status)
    return RunContent(
        subject=cell.subject,
        session=cell.session,
        scan=cell.scan,
        group=cell.group,
        treatment=cell.treatment,
        used=manifest is not None and not manifest.excluded,
        reason=manifest.excluded if manifest else reason,
        mean_fd_mm=_number(manifest.mean_fd_mm if manifest else None),
        mean_std_dvars=_number(manifest.mean_std_dvars if manifest else None),
        tsnr_median=_number(manifest.tsnr_median if manifest else None),
        df=strictest.df if strictest else math.nan,
        n_volumes=manifest.n_volumes if manifest else 0,
        n_censored=strictest.n_censored if strictest else 0,
        region_voxels=manifest.region_voxels if manifest else {},
        region_coverage=manifest.region_coverage if manifest else {},
    )


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def _region_contents(
    protocol: Protocol, regions: Mapping[str, RegionOnGrid], grid: Grid | None
) -> tuple[RegionContent, ...]:
    if grid is None:
        return ()
    contents = []
    for name, region in regions.items():
        weights = np.zeros(math.prod(grid.shape))
        weights[region.voxels] = region.weights
        kind = protocol.regions[name].kind
        contents.append(
            RegionContent(
                name=name,
                mask=weights.reshape(grid.shape),
                affine=grid.affine,
                description=str(region.source.get("description", kind)),
                n_voxels=region.voxels.size,
            )
        )
    return tuple(contents)
