r"""Place the protocol's regions on a run's grid.

A region is a set of voxels with weights of sum 1: a sphere holds the voxels whose centre is at
most its radius away; a mask or label holds voxels that it covers by half or more; an atlas region
may weight its voxels by probability. Region and run must name the same template space: the MNI
flavours put the perigenual cingulate more than 1 mm apart, so that nearly the same is wrong.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from phmri.dataset import AtlasStore, Image, file_sha256, read_image, read_table
from phmri.exceptions import Problem, RegionError
from phmri.protocol import (
    JulichRegion,
    LabelRegion,
    MaskRegion,
    Parcellation,
    Region,
    SphereRegion,
)
from phmri.signals._records import Grid, RegionOnGrid
from phmri.signals._resample import average_onto, vote_onto

__all__ = ["place_parcels", "place_region"]

_COVERED = 0.5
_HALF = 0.5  # voxel: from its centre to its border
_ROUNDING_MM = 1e-6
_ROUNDING = 1e-2
_N_AXES = 3


def place_region(
    name: str, region: Region, grid: Grid, *, atlas: AtlasStore | None, protocol_dir: Path
) -> RegionOnGrid:
    """Place one region of the protocol.

    Parameters
    ----------
    name : str
        Its key in the protocol.
    region : Region
        Its declaration.
    grid : Grid
        Of the run.
    atlas : AtlasStore or None
        Needed by atlas regions.
    protocol_dir : Path
        Folder that the region's file is relative to.

    Returns
    -------
    RegionOnGrid
        Its voxels and weights on the run's grid.

    Raises
    ------
    RegionError
        The region is of another space, outside the grid, without a voxel, or tabular.
    """
    if not isinstance(region, JulichRegion | SphereRegion | MaskRegion | LabelRegion):
        raise RegionError(
            Problem(
                what="a region of tabular time series cannot be placed in an image",
                field=f"regions.{name}",
            )
        )
    _check_space(name, region.space, grid)
    if isinstance(region, SphereRegion):
        return _sphere(name, region, grid)
    if isinstance(region, JulichRegion):
        return _julich(name, region, grid, atlas)
    return _from_file(name, region, grid, protocol_dir)


def _check_space(name: str, space: str | None, grid: Grid) -> None:
    if space != grid.space:
        raise RegionError(
            Problem(
                what="the region and the run lie in different template spaces; coordinates do "
                "not carry over, the MNI flavours are over 1 mm apart at the perigenual cingulate",
                field=f"regions.{name}",
                found=f"region in {space}, run in {grid.space}",
                expected=f"a region in {grid.space}, or data in {space}",
            )
        )


def _sphere(name: str, region: SphereRegion, grid: Grid) -> RegionOnGrid:
    center = np.asarray(region.center_mm, float)
    inverse = np.linalg.inv(grid.affine)
    place = inverse[:3, :3] @ center + inverse[:3, 3]
    if (place < -_HALF).any() or (place > np.array(grid.shape) - _HALF).any():
        raise RegionError(
            Problem(
                what="the centre of the sphere lies outside the image",
                field=f"regions.{name}.center_mm",
                found=f"{region.center_mm} mm, voxel {place.round(1).tolist()}",
                expected=f"within voxels (0, 0, 0) to {grid.shape}",
            )
        )
    reach = region.radius_mm * np.sqrt((inverse[:3, :3] ** 2).sum(axis=1))
    axes = [
        np.arange(max(int(np.floor(p - r)), 0), min(int(np.ceil(p + r)) + 1, n))
        for p, r, n in zip(place, reach, grid.shape, strict=True)
    ]
    voxels = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    offset = voxels @ grid.affine[:3, :3].T + grid.affine[:3, 3] - center
    inside = np.sqrt((offset**2).sum(axis=1)) <= region.radius_mm + _ROUNDING_MM
    if not inside.any():
        raise RegionError(
            Problem(
                what="the sphere is too small to hold the centre of a voxel",
                field=f"regions.{name}.radius_mm",
                found=f"{region.radius_mm:g} mm",
                expected="a radius of at least half a voxel's diagonal",
            )
        )
    flat = np.ravel_multi_index(tuple(voxels[inside].T), grid.shape)
    source: dict[str, object] = {
        "kind": "sphere",
        "center_mm": list(region.center_mm),
        "radius_mm": region.radius_mm,
        "space": region.space,
    }
    return _region(name, np.asarray(flat, np.int64), np.ones(flat.size), source)


def _julich(name: str, region: JulichRegion, grid: Grid, atlas: AtlasStore | None) -> RegionOnGrid:
    if atlas is None:
        raise RegionError(
            Problem(what="an atlas region needs an atlas store", field=f"regions.{name}")
        )
    image, source = atlas.julich(
        region.areas,
        region.hemisphere,
        space=region.space,
        version=region.version,
        kind=region.weighting,
    )
    label = "the Julich-Brain areas " + ", ".join(region.areas)
    if region.weighting == "mask":
        voxels, weights = _covered(name, image.data != 0, image.affine, grid, label)
    else:
        voxels, weights = average_onto(image, grid, file=label)
        _refuse_empty(name, voxels, label)
    return _region(name, voxels, weights, dict(source))


def _from_file(
    name: str, region: MaskRegion | LabelRegion, grid: Grid, protocol_dir: Path
) -> RegionOnGrid:
    path = protocol_dir / region.file
    image = _whole_numbers(_read_3d(name, path), path, field=f"regions.{name}")
    source: dict[str, object] = {
        "kind": region.kind,
        "file": region.file,
        "sha256": file_sha256(path),
        "space": region.space,
    }
    if isinstance(region, LabelRegion):
        absent = sorted(set(region.labels) - set(np.unique(image.data).astype(int).tolist()))
        if absent:
            raise RegionError(
                Problem(
                    what="the label image has no such label",
                    file=str(path),
                    field=f"regions.{name}.labels",
                    found=", ".join(map(str, absent)),
                )
            )
        source["labels"] = list(region.labels)
        inside = np.isin(image.data, region.labels)
    else:
        inside = image.data != 0
    voxels, weights = _covered(name, inside, image.affine, grid, str(path))
    return _region(name, voxels, weights, source)


def _read_3d(name: str, path: Path) -> Image:
    image = read_image(path)
    if image.data.ndim != _N_AXES:
        raise RegionError(
            Problem(
                what="a region needs an image of three dimensions",
                file=str(path),
                field=f"regions.{name}",
                found=f"shape {image.data.shape}",
            )
        )
    return image


def _whole_numbers(image: Image, path: Path, *, field: str) -> Image:
    # Of a probability map every voxel above 0 would count: many times the region that is meant.
    # Labels stored with a scale factor come out as 44.9999 and are 45.
    if image.data.dtype.kind != "f":
        return image
    whole = np.round(image.data)
    fractions = image.data[np.abs(image.data - whole) > _ROUNDING]
    if fractions.size:
        raise RegionError(
            Problem(
                what="a mask or label image holds fractions, as a map of probabilities does",
                file=str(path),
                field=field,
                found=f"{fractions.size} such voxels, e.g. {fractions[0]:.4g}",
                expected="whole numbers: cut the map at the probability that is meant",
            )
        )
    return Image(data=whole, affine=image.affine)


def _covered(
    name: str,
    inside: np.ndarray,
    affine: Float[np.ndarray, "4 4"],
    grid: Grid,
    label: str,
) -> tuple[Int[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    # Voxels that a mask covers by half or more.
    if not inside.any():
        raise RegionError(
            Problem(what="the region's image is empty", file=label, field=f"regions.{name}")
        )
    voxels, fraction = average_onto(
        Image(data=inside.astype(np.uint8), affine=affine), grid, file=label
    )
    voxels = voxels[fraction >= _COVERED]
    _refuse_empty(name, voxels, label)
    return voxels, np.ones(voxels.size)


def _refuse_empty(name: str, voxels: Int[np.ndarray, " n"], label: str) -> None:
    if not voxels.size:
        raise RegionError(
            Problem(
                what="the region has no voxel on the run's grid",
                file=label,
                field=f"regions.{name}",
                expected="a region that covers at least half of one voxel",
            )
        )


def _region(
    name: str,
    voxels: Int[np.ndarray, " n"],
    weights: Float[np.ndarray, " n"],
    source: dict[str, object],
) -> RegionOnGrid:
    return RegionOnGrid(name=name, voxels=voxels, weights=weights / weights.sum(), source=source)


def place_parcels(
    parcellation: Parcellation, grid: Grid, *, protocol_dir: Path
) -> tuple[RegionOnGrid, ...]:
    """Place every label of a label image.

    Parameters
    ----------
    parcellation : Parcellation
        With a file.
    grid : Grid
        Of the run.
    protocol_dir : Path
        Folder that the files are relative to.

    Returns
    -------
    tuple of RegionOnGrid
        By rising label; named by the table of names, else by the number.

    Raises
    ------
    RegionError
        No file, another space, outside the grid, labels without a voxel or without a name.
    """
    if parcellation.file is None:
        raise RegionError(
            Problem(
                what="a parcellation without a label image is for tabular time series only",
                field="parcellations",
            )
        )
    _check_space(Path(parcellation.file).name, parcellation.space, grid)
    path = protocol_dir / parcellation.file
    image = _whole_numbers(_read_3d(path.name, path), path, field="parcellations")
    present = np.unique(image.data)
    present = present[present > 0].astype(np.int64)
    if not present.size:
        raise RegionError(Problem(what="the label image has no label", file=str(path)))
    names = _parcel_names(parcellation, present, protocol_dir)
    voxels, labels = vote_onto(image, grid, file=str(path))
    lost = sorted(set(present.tolist()) - set(labels.tolist()))
    if lost:
        raise RegionError(
            *(
                Problem(
                    what="a parcel has no voxel on the run's grid", file=str(path), field=names[i]
                )
                for i in lost
            )
        )
    source: dict[str, object] = {
        "kind": "parcel",
        "file": parcellation.file,
        "sha256": file_sha256(path),
        "space": parcellation.space,
    }
    regions = []
    for label in present.tolist():
        own = voxels[labels == label]
        regions.append(_region(names[label], own, np.ones(own.size), {**source, "label": label}))
    return tuple(regions)


def _parcel_names(
    parcellation: Parcellation, present: Int[np.ndarray, " n"], protocol_dir: Path
) -> dict[int, str]:
    if parcellation.names is None:
        return {label: str(label) for label in present.tolist()}
    path = protocol_dir / parcellation.names
    table = read_table(path, text_columns=("name",))
    if not {"index", "name"} <= set(table.columns):
        raise RegionError(
            Problem(
                what="the table of parcel names lacks a column",
                file=str(path),
                found=", ".join(map(str, table.columns)),
                expected="index and name",
            )
        )
    if table["index"].dtype.kind != "i" or bool(table["name"].isna().any()):
        raise RegionError(
            Problem(
                what="the table of parcel names is not complete",
                file=str(path),
                found="an index that is no whole number, or a name that is missing",
                expected="one whole number and one name per line",
            )
        )
    names = dict(zip(table["index"].astype(int), table["name"].astype(str), strict=True))
    nameless = [label for label in present.tolist() if label not in names]
    used = [names[label] for label in present.tolist() if label in names]
    problems = [
        Problem(what="a label has no name in the table", file=str(path), field=str(label))
        for label in nameless
    ] + [
        Problem(what="two labels have the same name", file=str(path), field=name)
        for name in sorted({name for name in used if used.count(name) > 1})
    ]
    if problems:
        raise RegionError(*problems)
    return names
