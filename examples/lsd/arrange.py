# ruff: noqa: INP001 - a script, not a package
"""Arrange parcel series under LSD and placebo, and maps of receptors, as one data set.

The series are those of OpenNeuro ds003059 (CC0; Carhart-Harris 2016, doi:10.1073/pnas.1518377113),
100 Schaefer parcels, one table per person and session::

    sub-001_ses-LSD_task-rest_run-01_seg-Schaefer2018x100x7N_timeseries.tsv
    seg-Schaefer2018x100x7N_timeseries.json          repetition time, for all of them

The protocol and the maps that it names go to ``code``: the label image of the parcels (Schaefer
2018, doi:10.1093/cercor/bhx179), densities of receptors in the same parcels (Hansen 2022,
doi:10.1038/s41593-022-01186-3), whose table also names the labels, and an image of one more.

Usage::

    python examples/lsd/arrange.py SERIES ATLAS RECEPTORS OUT
    phmri run OUT RESULTS all --protocol OUT/code/trial.yaml
"""

import argparse
import json
import re
import shutil
import sys
from pathlib import Path

from phmri.exceptions import DatasetError, Problem

__all__ = ["arrange"]

_NAME = re.compile(
    r"(sub-[A-Za-z0-9]+)_(ses-(?:LSD|PLCB))_task-rest_run-01_seg-\w+_timeseries\.tsv"
)
_SIDECAR = "seg-Schaefer2018x100x7N_timeseries.json"
_LABELS = "Schaefer2018_100Parcels_7Networks_order_FSLMNI152_2mm.nii.gz"
_DENSITIES = "receptor_density_seg-Schaefer2018x100x7N.tsv"
_IMAGE = "NMDA_ge179_29hc_galovic2021.nii.gz"


def arrange(series: Path, atlas: Path, receptors: Path, target: Path) -> int:
    """Copy tables to where BIDS expects them, maps beside the protocol, and add what is lacking.

    Parameters
    ----------
    series : Path
        Folder of the series and their common sidecar.
    atlas : Path
        Folder of the label image of the parcels.
    receptors : Path
        Folder of the receptor densities.
    target : Path
        The data set to be made; must be absent or empty.

    Returns
    -------
    int
        Number of tables.

    Raises
    ------
    DatasetError
        Something is not in these folders, or the target holds something.
    """
    tables = {
        path: m for path in sorted(series.glob("*.tsv")) if (m := _NAME.fullmatch(path.name))
    }
    problems = []
    if not tables:
        problems.append(Problem(what="no tables of parcel series are here", file=str(series)))
    needed = (
        series / _SIDECAR,
        atlas / _LABELS,
        receptors / _DENSITIES,
        _image(receptors),
    )
    problems += [
        Problem(what="there is no such file", file=str(path))
        for path in needed
        if not path.is_file()
    ]
    if target.exists() and any(target.iterdir()):
        problems.append(Problem(what="the target is not empty", file=str(target)))
    if problems:
        raise DatasetError(*problems)
    sidecar = json.loads((series / _SIDECAR).read_text(encoding="utf-8"))
    for path, match in tables.items():
        folder = target / match[1] / match[2] / "func"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / path.name)
        _write_json(folder / path.with_suffix(".json").name, sidecar)
    subjects = sorted({match[1] for match in tables.values()})
    text = "\n".join(["participant_id", *subjects]) + "\n"
    (target / "participants.tsv").write_text(text, encoding="utf-8")
    _write_json(
        target / "dataset_description.json",
        {
            "Name": "LSD and placebo at rest, 100 parcels",
            "BIDSVersion": "1.10.0",
            "DatasetType": "derivative",
            "License": "CC0",
            "GeneratedBy": [
                {
                    "Name": "nilearn NiftiLabelsMasker",
                    "Description": "Parcel means of the authors' preprocessed images.",
                }
            ],
            "SourceDatasets": [{"URL": "https://openneuro.org/datasets/ds003059"}],
            "HowToAcknowledge": "Cite doi:10.1073/pnas.1518377113.",
        },
    )
    _add_protocol(atlas, receptors, target / "code")
    return len(tables)


def _image(receptors: Path) -> Path:
    return receptors / "pet_nifti" / _IMAGE


def _add_protocol(atlas: Path, receptors: Path, folder: Path) -> None:
    folder.mkdir()
    protocol = Path(__file__).parent / "trial.yaml"
    for path in (protocol, atlas / _LABELS, receptors / _DENSITIES, _image(receptors)):
        shutil.copyfile(path, folder / path.name)


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _main() -> int:
    parser = argparse.ArgumentParser(description="Arrange the LSD series as a BIDS derivative.")
    parser.add_argument("series", type=Path, help="folder of the series")
    parser.add_argument("atlas", type=Path, help="folder of the label image of the parcels")
    parser.add_argument("receptors", type=Path, help="folder of the receptor densities")
    parser.add_argument("target", type=Path, help="data set to be made")
    arguments = parser.parse_args()
    try:
        count = arrange(arguments.series, arguments.atlas, arguments.receptors, arguments.target)
    except DatasetError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{count} tables arranged in {arguments.target}\n")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
