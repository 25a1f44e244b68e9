"""Maps of the brain and positions of parcels, from the files that a protocol names."""

from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from phmri.dataset import Image, read_image, read_table
from phmri.exceptions import DatasetError, PhmriError, Problem, RegionError
from phmri.protocol import MapAssociation, Parcellation, Protocol
from phmri.signals import Grid, RegionOnGrid, place_parcels

__all__ = ["find_map_faults", "parcel_means", "parcellation_of", "read_map", "read_positions"]

AXES = ("x", "y", "z")
N_AXES = 3


def parcellation_of(protocol: Protocol, item: MapAssociation) -> Parcellation | None:
    """Give the parcellation over whose parcels maps are compared.

    Parameters
    ----------
    protocol : Protocol
    item : MapAssociation

    Returns
    -------
    Parcellation or None
        None where the outcomes are regions named one by one.
    """
    measure = protocol.measures[protocol.questions[item.question].measure]
    name = item.parcels or measure.parcellation
    return None if name is None else protocol.parcellations[name]


def parcel_means(
    image: Image, space: str, parcellation: Parcellation, *, protocol_dir: Path, least: float
) -> dict[str, float]:
    """Average an image within parcels.

    Parameters
    ----------
    image : Image
        3D; NaN where there are no data.
    space : str
        Template space that it lies in.
    parcellation : Parcellation
        With a label image.
    protocol_dir : Path
        Files named in the protocol are relative to it.
    least : float
        Fraction of a parcel's voxels that must have data.

    Returns
    -------
    dict of str to float
        Parcel -> mean of its voxels that have data, in the unit of the image; without parcels
        that have too few.
    """
    means = {}
    values = np.asarray(image.data, float).ravel()
    for region in place_parcels(parcellation, _grid(image, space), protocol_dir=protocol_dir):
        own = values[region.voxels]
        known = np.isfinite(own)
        if known.mean() >= least:
            means[region.name] = float(own[known].mean())
    return means


def _grid(image: Image, space: str) -> Grid:
    x, y, z = image.data.shape
    return Grid(shape=(x, y, z), affine=image.affine, space=space)


def read_map(
    protocol: Protocol, item: MapAssociation, name: str, *, protocol_dir: Path
) -> dict[str, float]:
    """Read one of the maps that an effect is compared with.

    Parameters
    ----------
    protocol : Protocol
    item : MapAssociation
    name : str
        Key in its ``maps``.
    protocol_dir : Path
        Files named in the protocol are relative to it.

    Returns
    -------
    dict of str to float
        Parcel -> value, in the unit of the file.

    Raises
    ------
    DatasetError
        When the file is none that such a map can be read from.

    Notes
    -----
    A `RegionError` says that the parcels cannot be placed in an image.
    """
    path = protocol_dir / item.maps[name]
    if name not in item.images:
        return _read_columns(path, (name,))[name]
    image, parcellation = read_image(path), parcellation_of(protocol, item)
    if image.data.ndim != N_AXES or parcellation is None or item.space is None:
        raise DatasetError(
            Problem(
                what="a map needs an image of three dimensions",
                file=str(path),
                found=f"shape {image.data.shape}",
            )
        )
    return parcel_means(image, item.space, parcellation, protocol_dir=protocol_dir, least=1.0)


def _read_columns(path: Path, columns: tuple[str, ...]) -> dict[str, dict[str, float]]:
    """Read columns of numbers, by parcel.

    Raises
    ------
    DatasetError
        Columns that are absent or hold no numbers, or a parcel that stands there twice.
    """
    table = read_table(path, text_columns=("name",))
    present = tuple(map(str, table.columns))
    absent = [column for column in ("name", *columns) if column not in present]
    if absent:
        raise DatasetError(
            Problem(
                what="the table lacks a column",
                file=str(path),
                found=f"no column {', '.join(absent)} among {', '.join(present)}",
                expected=f"columns {', '.join(('name', *columns))}",
            )
        )
    problems = [
        Problem(what="a parcel stands twice in the table", file=str(path), field=str(name))
        for name in table["name"][table["name"].duplicated()]
    ]
    values = {column: pd.to_numeric(table[column], errors="coerce") for column in columns}
    for column in columns:
        bad = table["name"][~np.isfinite(values[column].to_numpy(np.float64))].tolist()
        if bad:
            problems.append(
                Problem(
                    what="the table holds values that are no finite numbers",
                    file=str(path),
                    field=column,
                    found=f"{len(bad)} of {len(table)}, e.g. that of {bad[0]}",
                )
            )
    if problems:
        raise DatasetError(*problems)
    names = table["name"].tolist()
    return {
        column: dict(zip(names, values[column].astype(float).tolist(), strict=True))
        for column in columns
    }


def read_positions(
    protocol: Protocol, item: MapAssociation, *, protocol_dir: Path
) -> dict[str, Float[np.ndarray, " 3"]]:
    """Read where the parcels lie.

    Parameters
    ----------
    protocol : Protocol
    item : MapAssociation
    protocol_dir : Path
        Files named in the protocol are relative to it.

    Returns
    -------
    dict of str to ndarray of shape (3,)
        Parcel -> its centre, mm: the mean position of its voxels, or as the table has it.

    Raises
    ------
    RegionError
        When there is neither a table nor a label image.

    Notes
    -----
    A `DatasetError` says what is wrong with the table.
    """
    if item.positions is not None:
        columns = _read_columns(protocol_dir / item.positions, AXES)
        return {name: np.array([columns[axis][name] for axis in AXES]) for name in columns["x"]}
    parcellation = parcellation_of(protocol, item)
    if parcellation is None or parcellation.file is None or parcellation.space is None:
        raise RegionError(Problem(what="the positions of the parcels are not known"))
    image = read_image(protocol_dir / parcellation.file)
    grid = _grid(image, parcellation.space)
    parcels = place_parcels(parcellation, grid, protocol_dir=protocol_dir)
    return {parcel.name: _centre(parcel, grid) for parcel in parcels}


def _centre(parcel: RegionOnGrid, grid: Grid) -> Float[np.ndarray, " 3"]:
    voxels = np.stack(np.unravel_index(parcel.voxels, grid.shape), -1)
    return np.asarray(grid.affine[:3, :3] @ voxels.mean(axis=0) + grid.affine[:3, 3])


def find_map_faults(protocol: Protocol, protocol_dir: Path) -> tuple[Problem, ...]:
    """Find what is wrong with the files of all associations with maps, before anything is run.

    Parameters
    ----------
    protocol : Protocol
    protocol_dir : Path
        Files named in the protocol are relative to it.

    Returns
    -------
    tuple of Problem
        Each once.
    """
    problems: list[Problem] = []
    for item in protocol.map_associations.values():
        for name in item.maps:
            try:
                read_map(protocol, item, name, protocol_dir=protocol_dir)
            except PhmriError as error:
                problems += error.problems
        try:
            read_positions(protocol, item, protocol_dir=protocol_dir)
        except PhmriError as error:
            problems += error.problems
    return tuple(dict.fromkeys(problems))
