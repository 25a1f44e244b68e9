"""Where regions and parcels lie in the runs of a trial."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from phmri.dataset import AtlasStore, Run, series_names
from phmri.exceptions import PhmriError, Problem, RegionError
from phmri.pipeline._job import RunJob, grid_of, parcel_key
from phmri.protocol import Measure, Protocol, SeriesRegion
from phmri.signals import Grid, RegionOnGrid, place_parcels, place_region

__all__ = ["Placer", "Places", "place_group_regions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where the series of a run come from.

    Parameters
    ----------
    regions : tuple of RegionOnGrid
    n_used : int
        Regions that measures use; they come first.
    series, parcels : dict of str to tuple of str
        As in `RunJob`.
    """

    regions: tuple[RegionOnGrid, ...] = ()
    n_used: int = 0
    series: dict[str, tuple[str, ...]] = field(default_factory=dict)
    parcels: dict[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Placer:
    """Places regions once per grid.

    Parameters
    ----------
    protocol : Protocol
    atlas : AtlasStore
    protocol_dir : Path
        Files named in the protocol are relative to it.
    problems : list of Problem
        Everything that could not be placed.
    """

    protocol: Protocol
    atlas: AtlasStore
    protocol_dir: Path
    problems: list[Problem] = field(default_factory=list)
    _placed: dict[tuple[object, ...], dict[str, tuple[RegionOnGrid, ...]] | None] = field(
        default_factory=dict
    )

    def places(self, measures: dict[str, Measure], run: Run) -> Places:
        """Place what the measures of a run need.

        Parameters
        ----------
        measures : dict of str to Measure
        run : Run

        Returns
        -------
        Places
            Empty where something cannot be placed; `problems` says what.
        """
        try:
            return self._places(measures, run)
        except PhmriError as error:
            self.problems += error.problems
            return Places()

    def _places(self, measures: dict[str, Measure], run: Run) -> Places:
        if run.kind == "series":
            series, parcels = _series_columns(self.protocol, measures, run)
            return Places(regions=(), n_used=0, series=series, parcels=parcels)
        placed = self._on_grid(grid_of(run))
        if placed is None:
            return Places()
        used = _unique(placed[name] for name in _needed(measures))
        asked = (placed[name] for name in _asked_about(self.protocol, measures))
        return Places(
            regions=_unique((used, *asked)),
            n_used=len(used),
            series={},
            parcels={
                name: tuple(region.name for region in placed[name])
                for name in _parcellations(measures)
            },
        )

    def _on_grid(self, grid: Grid) -> dict[str, tuple[RegionOnGrid, ...]] | None:
        key = (grid.shape, grid.affine.tobytes(), grid.space)
        if key not in self._placed:
            self._placed[key] = None  # should it fail: told once, and tried once
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


def _needed(measures: dict[str, Measure]) -> list[str]:
    """Name the regions and parcellations that measures use, each once."""
    regions = (name for measure in measures.values() for name in measure.used_regions)
    return list(dict.fromkeys((*regions, *_parcellations(measures))))


def _asked_about(protocol: Protocol, measures: dict[str, Measure]) -> list[str]:
    """Name the regions that are asked about: their coverage is measured in every run."""
    places = [(item.measure, item.where) for item in protocol.questions.values()]
    places += [(item.measure, item.where) for item in protocol.associations.values()]
    places += [(item.measure, item.where) for item in protocol.reliability.values()]
    return sorted(
        {
            name
            for measure, where in places
            if measure in measures
            for name in (where.mean_of, where.within)
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
    available = series_names(run.path)
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
