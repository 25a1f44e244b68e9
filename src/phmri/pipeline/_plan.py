"""What has to run: the protocol and the checked data set as a list of jobs."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from phmri.dataset import AtlasStore, Cell, DatasetCheck, DatasetIndex, Run, read_series
from phmri.exceptions import DatasetError, PhmriError, Problem, RegionError
from phmri.pipeline._exposure import Exposures
from phmri.pipeline._foresee import foresee
from phmri.pipeline._job import RunJob, grid_of, job_key, parcel_key
from phmri.pipeline._provenance import FileRecord
from phmri.protocol import Measure, Protocol, SeriesRegion
from phmri.signals import Grid, RegionOnGrid, place_parcels, place_region

__all__ = ["make_jobs", "memory_per_run_gb", "place_group_regions"]


def make_jobs(
    protocol: Protocol,
    index: DatasetIndex,
    check: DatasetCheck,
    *,
    protocol_dir: Path,
    protocol_sha256: str,
    out_dir: Path,
    atlas: AtlasStore,
) -> list[RunJob]:
    """List the runs to be measured, with all that each needs.

    Parameters
    ----------
    protocol : Protocol
    index : DatasetIndex
    check : DatasetCheck
    protocol_dir : Path
        Files named in the protocol are relative to it.
    protocol_sha256 : str
    out_dir : Path
    atlas : AtlasStore

    Returns
    -------
    list of RunJob
        In the order of the check's cells.

    Raises
    ------
    DatasetError
        With all doses, weights, designs and files that keep a measure from being computed; where
        the protocol leaves broken runs out, without what is wrong with single runs.

    Notes
    -----
    A `RegionError` lists all regions that cannot be placed.
    """
    exposures = Exposures(protocol, index)
    maps = _map_files(protocol, protocol_dir)
    placer = _Placer(protocol=protocol, atlas=atlas, protocol_dir=protocol_dir)
    jobs = []
    for cell in check.cells:
        measures = _measures(protocol, cell, exposures.start_min(cell))
        if cell.run is None or not measures:
            continue
        places = placer.places(measures, cell.run)
        curves = {item.used_exposure for item in measures.values()} - {None}
        denoisings = {name for item in measures.values() for name in item.denoisings}
        job = RunJob(
            run=cell.run,
            scan_name=cell.scan,
            scan=protocol.scans[cell.scan],
            session=cell.session,
            measures=measures,
            denoising={name: protocol.denoising[name] for name in sorted(denoisings)},
            exclusions=protocol.exclusions,
            regions=places.regions,
            series=places.series,
            parcels=places.parcels,
            start_min=exposures.start_min(cell),
            exposures=exposures.curves(cell, sorted(filter(None, curves))),
            maps={file: maps[file] for item in measures.values() for file in item.map_files},
            out_dir=out_dir,
            protocol_sha256=protocol_sha256,
            key="",
        )
        # Regions that only questions look into change no map: their coverage alone is measured.
        key = job_key(replace(job, regions=job.regions[: places.n_used]))
        jobs.append(replace(job, key=key))
    problems = [*dict.fromkeys(exposures.problems)]
    problems += [
        problem
        for problem in foresee(jobs, protocol.questions)
        if problem.subject is None or protocol.exclusions.broken_run == "stop"
    ]
    if problems:
        raise DatasetError(*problems)
    return jobs


def _measures(protocol: Protocol, cell: Cell, start_min: float | None) -> dict[str, Measure]:
    """Give the measures of a scan that can be taken in this session."""
    return {
        name: item
        for name, item in protocol.measures.items()
        if item.scan == cell.scan and not (item.needs_time_zero and start_min is None)
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Places:
    """Where the series of a run come from, as `RunJob` describes it."""

    regions: tuple[RegionOnGrid, ...]
    n_used: int  # regions that measures use; they come first
    series: dict[str, tuple[str, ...]]
    parcels: dict[str, tuple[str, ...]]


@dataclass(slots=True, kw_only=True)
class _Placer:
    """Places regions once per grid."""

    protocol: Protocol
    atlas: AtlasStore
    protocol_dir: Path
    _placed: dict[tuple[object, ...], dict[str, tuple[RegionOnGrid, ...]]] = field(
        default_factory=dict
    )

    def places(self, measures: dict[str, Measure], run: Run) -> _Places:
        if run.kind == "series":
            series, parcels = _series_columns(self.protocol, measures, run)
            return _Places(regions=(), n_used=0, series=series, parcels=parcels)
        placed = self._on_grid(grid_of(run))
        used = _unique(placed[name] for name in _needed(measures))
        asked = (placed[name] for name in _asked_about(self.protocol, measures))
        return _Places(
            regions=_unique((used, *asked)),
            n_used=len(used),
            series={},
            parcels={
                name: tuple(region.name for region in placed[name])
                for name in _parcellations(measures)
            },
        )

    def _on_grid(self, grid: Grid) -> dict[str, tuple[RegionOnGrid, ...]]:
        key = (grid.shape, grid.affine.tobytes(), grid.space)
        if key not in self._placed:
            placed = place_regions(
                self.protocol, grid, atlas=self.atlas, protocol_dir=self.protocol_dir
            )
            self._placed[key] = {
                name: _named_apart(name, regions)
                if name in self.protocol.parcellations
                else regions
                for name, regions in placed.items()
            }
        return self._placed[key]


def _map_files(protocol: Protocol, protocol_dir: Path) -> dict[str, FileRecord]:
    # Hash the images of networks and receptors; refuse those that are not there.
    names = {name: key for key, item in protocol.measures.items() for name in item.map_files}
    missing = [
        Problem(
            what="there is no such file", file=str(protocol_dir / name), field=f"measures.{key}"
        )
        for name, key in names.items()
        if not (protocol_dir / name).is_file()
    ]
    if missing:
        raise DatasetError(*missing)
    return {name: FileRecord.of(protocol_dir / name) for name in names}


def _needed(measures: dict[str, Measure]) -> list[str]:
    """Name the regions and parcellations that measures use, each once."""
    regions = (name for measure in measures.values() for name in measure.used_regions)
    return list(dict.fromkeys((*regions, *_parcellations(measures))))


def _asked_about(protocol: Protocol, measures: dict[str, Measure]) -> list[str]:
    """Name the regions that questions look into: their coverage is measured in every run."""
    return sorted(
        {
            name
            for question in protocol.questions.values()
            if question.measure in measures
            for name in (question.where.mean_of, question.where.within)
            if name
        }
    )


def _parcellations(measures: dict[str, Measure]) -> list[str]:
    names = (measure.parcellation for measure in measures.values())
    return list(dict.fromkeys(name for name in names if name is not None))


def _named_apart(parcellation: str, regions: tuple[RegionOnGrid, ...]) -> tuple[RegionOnGrid, ...]:
    """Name parcels after their atlas too: two atlases may share the name of a parcel."""
    return tuple(replace(region, name=parcel_key(parcellation, region.name)) for region in regions)


def _unique(groups: Iterable[tuple[RegionOnGrid, ...]]) -> tuple[RegionOnGrid, ...]:
    found: dict[str, RegionOnGrid] = {}
    for group in groups:
        for region in group:
            found.setdefault(region.name, region)
    return tuple(found.values())


def place_regions(
    protocol: Protocol, grid: Grid, *, atlas: AtlasStore, protocol_dir: Path
) -> dict[str, tuple[RegionOnGrid, ...]]:
    """Place every region and parcellation that the protocol uses on a grid.

    Parameters
    ----------
    protocol : Protocol
    grid : Grid
    atlas : AtlasStore
    protocol_dir : Path

    Returns
    -------
    dict of str to tuple of RegionOnGrid
        One region per name; all parcels for the name of a parcellation.

    Raises
    ------
    RegionError
        With everything that cannot be placed.
    """
    used = {*_needed(protocol.measures), *_asked_about(protocol, protocol.measures)}
    placed: dict[str, tuple[RegionOnGrid, ...]] = {}
    problems: list[Problem] = []
    for name in sorted(used):
        try:
            if name in protocol.parcellations:
                placed[name] = place_parcels(
                    protocol.parcellations[name], grid, protocol_dir=protocol_dir
                )
            else:
                region = protocol.regions[name]
                placed[name] = (
                    place_region(name, region, grid, atlas=atlas, protocol_dir=protocol_dir),
                )
        except PhmriError as error:
            problems += [
                replace(problem, field=problem.field or f"regions.{name}")
                for problem in error.problems
            ]
    if problems:
        raise RegionError(*problems)
    return placed


def _series_columns(
    protocol: Protocol, measures: dict[str, Measure], run: Run
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    # Each column is a parcel of its own.
    available = read_series(run.path).names
    series: dict[str, tuple[str, ...]] = {}
    parcels: dict[str, tuple[str, ...]] = {}
    problems: list[Problem] = []
    for name in _needed(measures):
        if name in protocol.parcellations:
            parcels[name] = tuple(parcel_key(name, column) for column in available)
            series.update(
                dict(zip(parcels[name], ((column,) for column in available), strict=True))
            )
            continue
        region = protocol.regions[name]
        if not isinstance(region, SeriesRegion):
            problems.append(
                Problem(
                    what="a region of images cannot be placed in tabular time series",
                    file=str(run.path),
                    field=f"regions.{name}",
                    found=f"kind '{region.kind}'",
                    expected="kind 'series' with column names",
                )
            )
            continue
        missing = sorted(set(region.columns) - set(available))
        if missing:
            problems.append(
                Problem(
                    what="the table lacks columns of a region",
                    file=str(run.path),
                    field=f"regions.{name}",
                    found=f"no column {', '.join(missing)}",
                    expected=f"columns such as {', '.join(available[:3])}",
                )
            )
        series[name] = region.columns
    if problems:
        raise RegionError(*problems)
    return series, parcels


def place_group_regions(
    protocol: Protocol, jobs: Iterable[RunJob], *, atlas: AtlasStore, protocol_dir: Path
) -> tuple[dict[str, RegionOnGrid], Grid | None]:
    """Place single regions on the grid that the maps share.

    Parameters
    ----------
    protocol : Protocol
    jobs : iterable of RunJob
    atlas : AtlasStore
    protocol_dir : Path

    Returns
    -------
    regions : dict of str to RegionOnGrid
        Empty for tabular data.
    grid : Grid or None
        None for tabular data.
    """
    run = next((job.run for job in jobs if job.run.kind == "volume"), None)
    if run is None:
        return {}, None
    grid = grid_of(run)
    placed = place_regions(protocol, grid, atlas=atlas, protocol_dir=protocol_dir)
    return {name: placed[name][0] for name in placed if name in protocol.regions}, grid


def memory_per_run_gb(jobs: Iterable[RunJob]) -> float:
    """Estimate what the largest run needs in memory.

    Parameters
    ----------
    jobs : iterable of RunJob

    Returns
    -------
    float
        GiB: every voxel of the grid as float32, half as much again, and the libraries.
    """
    largest = 0.0
    for job in jobs:
        if job.run.shape is not None and job.run.n_volumes is not None:
            largest = max(largest, float(np.prod(job.run.shape)) * job.run.n_volumes)
    return 0.4 + 1.5 * 4 * largest / 2**30
