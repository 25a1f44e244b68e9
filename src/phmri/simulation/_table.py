"""Tables of parcel time series instead of images, as a pipeline that cleans them would write.

One run is ``data = mean + courses @ maps + noise`` as in an image, with columns for voxels. What
cleaning takes out (drift, motion, rhythms, tissue and global signal) is not put in.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from phmri.protocol import Protocol, SeriesRegion
from phmri.simulation._scene import GREY_MEAN, NETWORK, NETWORKS, PERCENT
from phmri.simulation._truth import Tables, Truth

__all__ = [
    "Table",
    "column_names",
    "columns_of",
    "is_tabular",
    "make_table",
    "segs_of",
    "table_noise",
]

_SEG = "simulated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The parts of simulated tables that do not change between runs.

    Parameters
    ----------
    names : tuple of str
        Of the columns.
    seg : str
        BIDS ``seg-`` of the tables.
    mean : ndarray of shape (n_columns,)
        Image units.
    maps : dict of str to ndarray of shape (n_columns,)
        Of every source; those of regions are named ``region <name>``.
    shapes : dict of str to ndarray of shape (n_columns,)
        Region -> 1 for its columns.
    noise : Tables
        Size and colour of it.
    """

    names: tuple[str, ...]
    seg: str
    mean: Float32[np.ndarray, " n_columns"]
    maps: dict[str, np.ndarray]
    shapes: dict[str, np.ndarray]
    noise: Tables


def is_tabular(protocol: Protocol) -> bool:
    """Tell whether a protocol speaks of columns of tables, and of nothing that lies in an image.

    Parameters
    ----------
    protocol : Protocol

    Returns
    -------
    bool
    """
    regions = [isinstance(region, SeriesRegion) for region in protocol.regions.values()]
    parcels = [parcellation.file is None for parcellation in protocol.parcellations.values()]
    return bool(regions or parcels) and all(regions + parcels)


def columns_of(protocol: Protocol) -> dict[str, tuple[str, ...]]:
    """List the regions that are columns.

    Parameters
    ----------
    protocol : Protocol

    Returns
    -------
    dict of str to tuple of str
        Region -> its columns.
    """
    return {
        name: region.columns
        for name, region in protocol.regions.items()
        if isinstance(region, SeriesRegion)
    }


def segs_of(protocol: Protocol) -> tuple[str, ...]:
    """List the tables that a protocol asks for.

    Parameters
    ----------
    protocol : Protocol

    Returns
    -------
    tuple of str
        BIDS ``seg-`` labels; one of ours where the protocol names none.
    """
    named = {one.seg for one in protocol.parcellations.values() if one.seg is not None}
    return tuple(sorted(named)) or (_SEG,)


def column_names(tables: Tables, protocol: Protocol) -> tuple[str, ...]:
    """Name the columns: as the truth says, or those of regions and then numbered ones.

    Parameters
    ----------
    tables : Tables
        How many, or which.
    protocol : Protocol
        Its regions name columns.

    Returns
    -------
    tuple of str
        At least all that regions name.
    """
    if not isinstance(tables.columns, int):
        return tables.columns
    named = list(dict.fromkeys(sum(columns_of(protocol).values(), ())))
    fillers = (f"parcel{number:04d}" for number in range(1, tables.columns + 1))
    others = [name for name in fillers if name not in named]
    return tuple(named + others[: max(0, tables.columns - len(named))])


def make_table(protocol: Protocol, truth: Truth, tables: Tables) -> Table:
    """Lay sources over the columns.

    Parameters
    ----------
    protocol : Protocol
        Declares the regions.
    truth : Truth
        Strength of what is there.
    tables : Tables
        Of the truth.

    Returns
    -------
    Table
        Columns belong to the networks in turn.
    """
    names = column_names(tables, protocol)
    shapes = {
        name: np.array([column in own for column in names], dtype=np.float32)
        for name, own in columns_of(protocol).items()
    }
    turn = np.arange(len(names)) % len(NETWORKS)
    maps = {
        name: np.where(turn == k, NETWORK, 0.0).astype(np.float32)
        for k, name in enumerate(NETWORKS)
    }
    for name, region in truth.regions.items():
        maps[f"region {name}"] = np.float32(PERCENT * region.signal_percent) * shapes[name]
    return Table(
        names=names,
        seg=segs_of(protocol)[0],
        mean=np.full(len(names), GREY_MEAN, dtype=np.float32),
        maps=maps,
        shapes=shapes,
        noise=tables,
    )


def table_noise(
    table: Table, n_volumes: int, rng: np.random.Generator
) -> Float32[np.ndarray, "n_volumes n_columns"]:
    """Draw stationary first-order autoregressive noise, independent between columns.

    Parameters
    ----------
    table : Table
        What the runs share.
    n_volumes : int
        Of the run.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    ndarray of shape (n_volumes, n_columns)
        Image units.
    """
    ar, percent = table.noise.noise_ar, table.noise.noise_percent
    noise = rng.standard_normal((n_volumes, len(table.names)), dtype=np.float32)
    noise[1:] *= np.float32(np.sqrt(1.0 - ar**2))
    for t in range(1, n_volumes):
        noise[t] += np.float32(ar) * noise[t - 1]
    return np.asarray(np.float32(PERCENT * percent) * noise)
