"""The Julich-Brain cytoarchitectonic atlas, from a local folder or from its publisher.

The atlas is not ours to ship (CC BY-NC-SA 4.0). A region is a weight per voxel: 1 where the
maximum-probability map says that the voxel belongs to one of the areas, or the areas' summed
probability. Label numbers differ between versions of the atlas, so they are read from the table
beside the labels, or taken from the table below for version 3.1 and nothing else.
"""

import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Literal

import numpy as np

from phmri.dataset._atlas_labels import AtlasLabels, read_labels
from phmri.dataset._atlas_templates import (
    Kind,
    Part,
    Request,
    as_probability,
    from_templates,
    short_name,
)
from phmri.dataset._download import fetch, pinned
from phmri.dataset._read_files import file_sha256
from phmri.dataset._read_images import read_image
from phmri.dataset._records import Image
from phmri.exceptions import AtlasError, Problem

__all__ = ["AtlasStore"]

_VERSION = "3.1"
_PUBLISHED_SPACE = "MNI152NLin2009cAsym"
_PUBLISHER = (
    "https://data-proxy.ebrains.eu/api/v1/public/buckets/d-f1fe19e8-99bd-44bc-9616-a52850680777/"
)
_LABELS = {"p24ab": 20, "p24c": 126, "p32": 90, "33": 143, "s24": 197, "s32": 186, "25": 71}
"""Labels of the anterior cingulate areas in version 3.1, the same on both sides (github
FZJ-INM1-BDA/siibra-configurations, commit 7e3999e2, maps/mni152-jba31-labelled.json)."""

_MPM = (
    "maximum-probability-maps_MPMs_207-areas/"
    "JulichBrainAtlas_3.1_207areas_MPM_{side}_MNI152.nii.gz"
)
_PM = "probabilistic-maps_PMs_207-areas/Area-{area}/Area-{area}_{side}_MNI152.nii.gz"
_SIDES = {"left": ("L",), "right": ("R",), "both": ("L", "R")}
_PUBLISHED_SIDE = {"L": "lh", "R": "rh"}
_CITATION = (
    (
        "Amunts K, Mohlberg H, Bludau S, Zilles K (2020) Julich-Brain: a 3D probabilistic atlas "
        "of the human brain's cytoarchitecture. Science 369:988-992. doi:10.1126/science.abb4588"
    ),
    (
        "Amunts K, Mohlberg H, Bludau S, Caspers S, Lewis LB, Eickhoff SB, Pieperhoff P (2023) "
        "Julich-Brain Atlas, cytoarchitectonic maps (v3.1). EBRAINS. "
        "https://search.kg.ebrains.eu/instances/f1fe19e8-99bd-44bc-9616-a52850680777"
    ),
)


class AtlasStore:
    """Where atlases come from.

    Parameters
    ----------
    local_dirs : sequence of Path, optional
        Folders searched first, then the one that the environment variable ``PHMRI_ATLAS_DIR``
        names. Read are ``tpl-<space>_res-<n>_atlas-Julich31[_desc-ACC]_{dseg,probseg}.nii.gz``
        with ``atlas-Julich31[_desc-ACC]_dseg.tsv`` beside, and the publisher's own files.
    cache_dir : Path, optional
        Where downloads are kept; ``phmri/atlas`` in the user's cache folder when left out.
    base_url : str, optional
        Address of the publisher's files; EBRAINS when left out.
    sha256 : dict of str to str, optional
        Expected hashes by file name, checked after a download.
    timeout_s : float, default: 60
        Seconds to wait for the publisher.
    """

    def __init__(
        self,
        local_dirs: Sequence[Path] = (),
        cache_dir: Path | None = None,
        base_url: str | None = None,
        *,
        sha256: Mapping[str, str] | None = None,
        timeout_s: float = 60.0,
    ) -> None:
        named = os.environ.get("PHMRI_ATLAS_DIR")
        self.local_dirs: tuple[Path, ...] = (
            *map(Path, local_dirs),
            *([Path(named)] if named else []),
        )
        cache_home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        self.cache_dir: Path = cache_dir or Path(cache_home) / "phmri" / "atlas"
        self.base_url: str = (base_url or _PUBLISHER).rstrip("/") + "/"
        self._sha256 = dict(sha256 or {})
        self._timeout_s = timeout_s

    def julich(
        self,
        areas: Sequence[str],
        hemisphere: Literal["left", "right", "both"],
        space: str,
        version: str = _VERSION,
        kind: Kind = "mask",
    ) -> tuple[Image, dict[str, object]]:
        """Merge areas of the Julich-Brain atlas into one region.

        Parameters
        ----------
        areas : sequence of str
            For example ``("p24ab", "p24c", "p32")``; the full name works too
            (``"Area p24ab (pACC)"``).
        hemisphere : {"left", "right", "both"}
            Side; ``both`` merges the two.
        space : str
            Template; another one is never used in its place.
        version : str, default: "3.1"
            Of the atlas.
        kind : {"mask", "probability"}, default: "mask"

        Returns
        -------
        image : Image
            Weights in [0, 1] of shape (x, y, z), on the atlas's own grid, the finest there is.
        source : dict
            Files with their SHA-256, labels, licence and citation, for the sidecar.

        Raises
        ------
        AtlasError
            Another version, an unknown area, a space in which the atlas is not at hand, a
            download that fails or is not what it should be.

        Notes
        -----
        Probabilities of several areas are added and cut at 1.

        References
        ----------
        .. [1] Amunts K et al. (2020) Science 369:988-992, doi:10.1126/science.abb4588
        """
        if version != _VERSION:
            what = "this version of the atlas is not supported"
            raise AtlasError(Problem(what=what, found=version, expected=_VERSION))
        if not areas:
            raise AtlasError("a region needs at least one area of the atlas")
        request = Request(areas=tuple(areas), sides=_SIDES[hemisphere], space=space, kind=kind)
        spaces: set[str] = set()
        known: set[str] = set()
        local = self._local(request, spaces, known)
        if local is not None:
            return _finish(request, hemisphere, *local)
        if space != _PUBLISHED_SPACE:
            raise AtlasError(
                _unknown_areas(request, known) if known else self._other_space(space, spaces)
            )
        if known and any(short_name(area) not in _LABELS for area in areas):
            raise AtlasError(_unknown_areas(request, known))
        found = self._from_publisher(request, None)
        return _finish(request, hemisphere, *(found or ([], [])))

    def has_julich(self, areas: Sequence[str], space: str) -> bool:
        """Say whether a local folder has masks of areas, both hemispheres; nothing is fetched.

        Parameters
        ----------
        areas : sequence of str
            As in `julich`.
        space : str
            Template.

        Returns
        -------
        bool
        """
        request = Request(areas=tuple(areas), sides=_SIDES["both"], space=space, kind="mask")
        return self._local(request, set(), set()) is not None

    def _local(
        self, request: Request, spaces: set[str], known: set[str]
    ) -> tuple[list[Part], list[dict[str, object]]] | None:
        for folder in self.local_dirs:
            found = from_templates(folder, request, spaces, known)
            if found is None and request.space == _PUBLISHED_SPACE:
                found = self._from_publisher(request, folder)
            if found is not None:
                return found
        return None

    def labels(self, space: str) -> AtlasLabels | None:
        """Give the names of all areas in a space, where a local folder has them.

        Parameters
        ----------
        space : str
            Template; another one is never used in its place.

        Returns
        -------
        AtlasLabels or None
        """
        return read_labels(self.local_dirs, space)

    def _other_space(self, space: str, spaces: set[str]) -> Problem:
        folders = ", ".join(map(str, self.local_dirs)) or "no local folder"
        return Problem(
            what=f"the Julich-Brain atlas is not at hand in the space {space}; template "
            "spaces differ by more than 1 mm at the pregenual cingulate, so another one is "
            "not used in its place",
            file=folders,
            found=", ".join(sorted(spaces | {f"{_PUBLISHED_SPACE} (by download)"})),
            expected=space,
        )

    def _from_publisher(
        self, request: Request, folder: Path | None
    ) -> tuple[list[Part], list[dict[str, object]]] | None:
        """Read the publisher's files from a local folder, or from the cache and the network.

        Raises
        ------
        AtlasError
            An area whose label is not known, or a missing file.
        """
        if folder is not None and not _has_published(folder, request):
            return None
        unknown = [area for area in map(short_name, request.areas) if area not in _LABELS]
        if unknown:
            raise AtlasError(
                Problem(
                    what="no label number is known for these areas; a table "
                    "atlas-Julich31_dseg.tsv with labels in a local folder would give them",
                    found=", ".join(unknown),
                    expected=", ".join(_LABELS),
                )
            )
        parts: list[Part] = []
        files: list[dict[str, object]] = []
        for side in request.sides:
            for name, labels in _published_names(request, side):
                path = _published(folder, name) if folder is not None else self._cached(name)
                if path is None:
                    raise AtlasError(Problem(what="an atlas file is missing", file=name))
                image = read_image(path)
                data = (
                    np.isin(image.data, labels).astype(np.float64)
                    if request.kind == "mask"
                    else as_probability(path, image.data)
                )
                parts.append((data, image.affine))
                record: dict[str, object] = {"file": str(path), "sha256": file_sha256(path)}
                if folder is None:
                    record["url"] = self.base_url + name
                if labels:
                    record["labels"] = labels
                files.append(record)
        return parts, files

    def _cached(self, name: str) -> Path:
        found = pinned(self.cache_dir, name)
        if found is not None:
            return found
        return fetch(
            self.base_url + name,
            self.cache_dir,
            name,
            sha256=self._sha256.get(Path(name).name),
            timeout_s=self._timeout_s,
        )


def _published_names(request: Request, side: str) -> list[tuple[str, list[int]]]:
    published = _PUBLISHED_SIDE[side]
    areas = [short_name(area) for area in request.areas]
    if request.kind == "mask":
        return [(_MPM.format(side=published), sorted(_LABELS[area] for area in areas))]
    return [(_PM.format(area=area, side=published), []) for area in areas]


def _published(folder: Path, name: str) -> Path | None:
    """Find a file under the publisher's path or any end of it."""
    parts = Path(name).parts
    candidates = (folder.joinpath(*parts[start:]) for start in range(len(parts)))
    return next((path for path in candidates if path.is_file()), None)


def _has_published(folder: Path, request: Request) -> bool:
    if any(short_name(area) not in _LABELS for area in request.areas):
        return any(_published(folder, _MPM.format(side=side)) for side in ("lh", "rh"))
    return all(
        _published(folder, name) is not None
        for side in request.sides
        for name, _ in _published_names(request, side)
    )


def _unknown_areas(request: Request, known: set[str]) -> Problem:
    unknown = [area for area in request.areas if short_name(area) not in known]
    what = "the atlas has no such area"
    if not unknown:
        what = f"the local atlas files hold no {request.kind} image of these areas in this space"
    near = {name for area in request.areas for name in get_close_matches(area, known, n=5)}
    return Problem(
        what=what,
        field=request.space,
        found=", ".join(unknown or request.areas),
        expected=", ".join(sorted(near or set(_LABELS) & known or known)[:10]),
    )


def _finish(
    request: Request,
    hemisphere: str,
    parts: list[Part],
    files: list[dict[str, object]],
) -> tuple[Image, dict[str, object]]:
    """Add the parts up and describe them.

    Raises
    ------
    AtlasError
        The parts lie on different grids, or hold no voxel.
    """
    affine = parts[0][1]
    total = np.zeros(parts[0][0].shape)
    for data, other in parts:
        if data.shape != total.shape or not np.isclose(other, affine).all():
            raise AtlasError(
                Problem(
                    what="the atlas files of one region lie on different grids",
                    found=str(data.shape),
                    expected=str(total.shape),
                )
            )
        total += data
    np.minimum(total, 1.0, out=total)
    if not total.any():
        raise AtlasError(
            Problem(
                what="the areas have no voxel in this atlas file",
                file=str(files[0]["file"]),
                found=", ".join(request.areas),
            )
        )
    source: dict[str, object] = {
        "atlas": "Julich-Brain",
        "version": _VERSION,
        "areas": list(request.areas),
        "hemisphere": hemisphere,
        "space": request.space,
        "kind": request.kind,
        "files": files,
        "licence": "CC BY-NC-SA 4.0",
        "citation": list(_CITATION),
    }
    if request.space != _PUBLISHED_SPACE:
        source["note"] = (
            f"The atlas is published in {_PUBLISHED_SPACE}; this file in {request.space} is "
            "someone's warp of it, not an official release."
        )
    return Image(data=total, affine=affine), source
