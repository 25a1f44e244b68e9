# ruff: noqa: INP001 - a script, not a package
"""Arrange ten people's parcel series under LSD and placebo as a BIDS derivative data set.

The series are those of OpenNeuro ds003059 (CC0; Carhart-Harris 2016, doi:10.1073/pnas.1518377113),
100 Schaefer parcels, one table per person and session::

    sub-001_ses-LSD_task-rest_run-01_seg-Schaefer2018x100x7N_timeseries.tsv
    seg-Schaefer2018x100x7N_timeseries.json          repetition time, for all of them

Usage::

    python examples/lsd/arrange.py FOLDER_OF_THE_SERIES OUT
    phmri run OUT RESULTS all --protocol examples/lsd/trial.yaml
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


def arrange(source: Path, target: Path) -> int:
    """Copy the tables to where BIDS expects them, and add what they lack.

    Parameters
    ----------
    source : Path
        Folder of the series and their common sidecar.
    target : Path
        The data set to be made; must be absent or empty.

    Returns
    -------
    int
        Number of tables.

    Raises
    ------
    DatasetError
        The source lacks the tables or their sidecar, or the target holds something.
    """
    tables = {
        path: m for path in sorted(source.glob("*.tsv")) if (m := _NAME.fullmatch(path.name))
    }
    problems = []
    if not tables:
        problems.append(Problem(what="no tables of parcel series are here", file=str(source)))
    if not (source / _SIDECAR).is_file():
        problems.append(Problem(what="the common sidecar is missing", file=str(source / _SIDECAR)))
    if target.exists() and any(target.iterdir()):
        problems.append(Problem(what="the target is not empty", file=str(target)))
    if problems:
        raise DatasetError(*problems)
    sidecar = json.loads((source / _SIDECAR).read_text(encoding="utf-8"))
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
    return len(tables)


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _main() -> int:
    parser = argparse.ArgumentParser(description="Arrange the LSD series as a BIDS derivative.")
    parser.add_argument("source", type=Path, help="folder of the series")
    parser.add_argument("target", type=Path, help="data set to be made")
    arguments = parser.parse_args()
    try:
        count = arrange(arguments.source, arguments.target)
    except DatasetError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{count} tables arranged in {arguments.target}\n")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
