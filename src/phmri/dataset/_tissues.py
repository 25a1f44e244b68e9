"""Which image of grey matter, white matter and CSF belongs to a run."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from phmri.dataset._headers import header_of
from phmri.dataset._names import FileName, parse_name
from phmri.dataset._records import Run
from phmri.exceptions import DatasetError

__all__ = ["TISSUES", "find_tissues"]

TISSUES = ("GM", "WM", "CSF")
"""In the order of their labels in an image of tissues, 1 to 3, as BIDS and fMRIPrep have it."""

_SAME_MM = 1e-3
_OF_PARTS = frozenset({"desc", "label", "atlas", "seg", "hemi"})
"""Entities of segmentations into something else than tissues."""


def find_tissues(run: Run, folders: Sequence[Path]) -> tuple[Path, ...]:
    """Find the tissues of a participant in the space of a run.

    Parameters
    ----------
    run : Run
        An image.
    folders : sequence of Path
        Derivative folders; the run's own comes first whatever its place.

    Returns
    -------
    tuple of Path
        One image of labels, ``…_space-<space>[_res-<res>]_dseg.nii.gz``; where there is none, the
        probabilities of grey matter, white matter and CSF on the run's own grid
        (``…_label-GM_probseg.nii.gz``). Empty where there is neither.

    Notes
    -----
    Of several, that of the run's resolution and session is taken, then one without, then the
    first by name: in one space they are of one brain.
    """
    for folder in sorted(folders, key=lambda folder: not run.path.is_relative_to(folder)):
        files = [file for file in _segmentations(folder, run) if _same_space(file, run)]
        labels = [
            file
            for file in files
            if file.suffix == "dseg" and not _OF_PARTS & file.entities.keys()
        ]
        if labels:
            return (min(labels, key=lambda file: _distance(file, run)).path,)
        maps = {
            tissue: [
                file
                for file in files
                if file.suffix == "probseg"
                and file.entities.get("label") == tissue
                and _on_grid(file.path, run)
            ]
            for tissue in TISSUES
        }
        if all(maps.values()):
            return tuple(
                min(found, key=lambda file: _distance(file, run)).path for found in maps.values()
            )
    return ()


def _segmentations(folder: Path, run: Run) -> Iterator[FileName]:
    subject = folder / f"sub-{run.subject}"
    for place in ("anat", "ses-*/anat", "func", "ses-*/func"):
        for suffix in ("dseg", "probseg"):
            for path in sorted(subject.glob(f"{place}/*_{suffix}.nii*")):
                file = parse_name(path, path.name)
                if file is not None:
                    yield file


def _same_space(file: FileName, run: Run) -> bool:
    # The anatomical image's own space has no entity in names of fMRIPrep.
    return run.space is not None and file.entities.get("space", "T1w") == run.space


def _distance(file: FileName, run: Run) -> tuple[int, int, str]:
    def unlike(key: str, own: str | None) -> int:
        label = file.entities.get(key)
        return 0 if label == own else 1 if label is None else 2

    return unlike("res", run.resolution), unlike("ses", run.session), file.path.name


def _on_grid(path: Path, run: Run) -> bool:
    try:
        header = header_of(path)
    except DatasetError:
        return False
    return (
        run.affine is not None
        and header.shape == run.shape
        and bool(np.abs(header.affine - run.affine).max() < _SAME_MM)
    )
