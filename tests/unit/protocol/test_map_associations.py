"""Associations with maps: every contradiction is told in words."""

import copy
from typing import Any

import pytest

from phmri.protocol import Protocol
from phmri.protocol._finding import listing
from phmri.protocol._references import check_references

SPACE = "MNI152NLin6Asym"


def document(**changes: Any) -> dict[str, Any]:
    ask = {"text": "Does it change?", "role": "primary", "contrast": ["drug", "placebo"]}
    ask |= {"estimator": "crossover"}
    rest = {"scan": "rest", "denoising": "plain"}
    whole = {
        "phmri": 1,
        "name": "demo",
        "title": "A trial",
        "drugs": {},
        "treatments": {"placebo": {}, "drug": {}},
        "design": {
            "kind": "crossover",
            "order": "unknown",
            "sequences": {"both": {"treatments": ["drug", "placebo"]}},
        },
        "sessions": {
            "a": {"phase": "acute", "treatment": "drug"},
            "b": {"phase": "acute", "treatment": "placebo"},
        },
        "scans": {"rest": {"task": "rest"}},
        "space": SPACE,
        "regions": {
            "seed": {"kind": "sphere", "center_mm": [0, 50, 2], "radius_mm": 6, "space": SPACE}
        },
        "parcellations": {
            "tables": {"seg": "S"},
            "image": {"file": "labels.nii.gz", "space": SPACE},
            "other": {"file": "others.nii.gz", "space": SPACE},
        },
        "denoising": {"plain": {"strategy": "none"}},
        "measures": {
            "nodes": {"kind": "roi_to_roi", "parcels": "tables", "summary": "nodes", **rest},
            "edges": {"kind": "roi_to_roi", "parcels": "tables", "summary": "edges", **rest},
            "labelled": {"kind": "roi_to_roi", "parcels": "image", "summary": "nodes", **rest},
            "map": {"kind": "seed_to_voxel", "seed": "seed", **rest},
        },
        "questions": {
            name: {**ask, "measure": name} for name in ("nodes", "edges", "labelled", "map")
        },
        "map_associations": {
            "receptors": {
                "text": "Does it go with receptors?",
                "question": "nodes",
                "maps": {"5HT2a": "maps.tsv"},
                "positions": "positions.tsv",
                **changes,
            }
        },
    }
    return copy.deepcopy(whole)


IMAGES = {"maps": {"NMDA": "nmda.nii.gz"}, "space": SPACE}
GOOD = [
    {},
    {"parcels": "image", "positions": None},
    {"parcels": "image", "positions": None, **IMAGES},
    {"question": "labelled", "positions": None},
    {"question": "labelled", "parcels": "image", "positions": None},
    {"question": "map", "parcels": "image", "positions": None},
]


@pytest.mark.parametrize("changes", GOOD, ids=range(len(GOOD)))
def test_what_can_be_asked(changes: dict[str, Any]) -> None:
    item = Protocol.model_validate(document(**changes)).map_associations["receptors"]
    assert item.statistic == "spearman"
    assert item.images == tuple(changes.get("maps", {}))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"question": "node"}, "question: this question is not declared; found node"),
        ({"question": "edges"}, "maps go with an effect per parcel or voxel"),
        (
            {"parcels": "imag", "positions": None},
            "parcels: this parcellation is not declared; found imag",
        ),
        ({"maps": {"A": "a.csv"}}, "neither a table nor an image; found a.csv"),
        ({"positions": None}, "surrogate maps need the positions of the parcels"),
        ({"parcels": "image"}, "the positions of parcels are known from the label image"),
        ({"space": SPACE}, "'space' belongs to images, and all maps are tables"),
        (
            {"parcels": "image", "positions": None, **IMAGES, "space": None},
            "images need the space that they lie in",
        ),
        (IMAGES, "an image among the maps needs a label image"),
        (
            {**IMAGES, "parcels": "image", "positions": None, "space": "MNI152NLin2009cAsym"},
            "the images lie in another space than the data",
        ),
        (
            {"question": "labelled", "parcels": "other", "positions": None},
            "the question asks of the parcels of another label image",
        ),
        ({"question": "map", "positions": None}, "a question of voxels needs a label image"),
        ({"question": "map", "parcels": "tables"}, "a question of voxels needs a label image"),
    ],
)
def test_contradictions(changes: dict[str, Any], words: str) -> None:
    told = listing(check_references(document(**changes)))
    assert words in told, told
    assert told.count("map_associations") == 1, told


def test_names_that_become_the_same_in_files() -> None:
    raw = document()
    raw["map_associations"]["Re_ceptors"] = raw["map_associations"]["receptors"]
    assert "become the same in file names" in listing(check_references(raw))
