"""Trials of ratings alone: a protocol, ``participants.tsv``, tables of scales, one dummy run."""

import json
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.e2e.trees import SPACE, call, write_json, write_table

SERIES = {
    "scans": {"rest": {"task": "rest"}},
    "regions": {name: {"kind": "series", "columns": [name]} for name in "ab"},
    "denoising": {"plain": {"strategy": "none"}},
    "measures": {
        "edge": {
            "kind": "roi_to_roi",
            "scan": "rest",
            "regions": ["a", "b"],
            "summary": "edges",
            "denoising": "plain",
        }
    },
}


def rated_document(
    design: Mapping[str, object],
    sessions: Mapping[str, object],
    treatments: Mapping[str, object],
    **sections: object,
) -> dict[str, Any]:
    """Give a protocol whose treatments have no doses."""
    return {
        "phmri": 1,
        "name": "rated",
        "title": "A trial of ratings, SIMULATED",
        "space": SPACE,
        "drugs": {},
        "treatments": treatments,
        "design": design,
        "sessions": sessions,
        **deepcopy(SERIES),  # a test may add to its own
        "inference": {"n_permutations": 100, "seed": 1},
        **sections,
    }


def write_series(bids: Path, subject: str, session: str, courses: np.ndarray) -> None:
    """Write the courses of regions ``a``, ``b`` and so on, T x regions."""
    folder = bids / f"sub-{subject}" / f"ses-{session}" / "func"
    stem = f"sub-{subject}_ses-{session}_task-rest_timeseries"
    write_table(folder / f"{stem}.tsv", dict(zip("abcd", courses.T, strict=False)))
    write_json(folder / f"{stem}.json", {"RepetitionTime": 2.0})


def write_ratings(bids: Path, people: pd.DataFrame, scales: Mapping[str, pd.DataFrame]) -> None:
    """Write participants (column ``participant_id``, no ``sub-``) and tables of scales."""
    write_json(
        bids / "dataset_description.json",
        {
            "Name": "ratings, SIMULATED",
            "BIDSVersion": "1.9.0",
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "a script"}],
        },
    )
    write_table(bids / "participants.tsv", _labelled(people))
    for name, table in scales.items():
        write_table(bids / "phenotype" / f"{name}.tsv", _labelled(table))


def _labelled(table: pd.DataFrame) -> dict[str, list[object]]:
    columns = {str(name): table[name].tolist() for name in table.columns}
    for name, prefix in (("participant_id", "sub-"), ("session_id", "ses-")):
        if name in columns:
            columns[name] = [f"{prefix}{label}" for label in columns[name]]
    return columns


def run_rated(root: Path, document: Mapping[str, object]) -> tuple[int, str]:
    """Run a trial in ``root/bids`` to ``root/out``; give exit code and all that was printed."""
    protocol = root / "trial.yaml"
    protocol.write_text(json.dumps(document, indent=1))
    return call(
        "run", root / "bids", root / "out", "all", "--protocol", protocol, "--n-workers", "1"
    )


def record_of(out: Path, name: str) -> dict[str, Any]:
    """Read all that stands in ``claim.json`` of a question."""
    path = out / "group" / f"question-{name.replace('_', '')}" / "claim.json"
    return dict(json.loads(path.read_text()))


def row_of(out: Path, name: str) -> pd.Series:
    """Read the statistics of a question about one number."""
    folder = out / "group" / f"question-{name.replace('_', '')}"
    table = pd.read_csv(folder / f"{folder.name}_stats.tsv", sep="\t")
    assert len(table) == 1
    return table.iloc[0]
