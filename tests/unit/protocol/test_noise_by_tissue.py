"""Noise by tissue is for voxels."""

from pathlib import Path

import pytest
import yaml

from phmri.exceptions import ProtocolError
from phmri.protocol import read_protocol
from tests.e2e.first_level_trial import base_document


def read(folder: Path, **measure: object) -> object:
    document = base_document()
    document["measures"]["bins"] |= {"noise": {"scope": "tissue"}, **measure}
    path = folder / "trial.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(yaml.safe_dump(document))))
    return read_protocol(path).measures["bins"]


def test_of_voxels(tmp_path: Path) -> None:
    assert read(tmp_path).noise.scope == "tissue"  # type: ignore[attr-defined]


def test_parcels_have_none(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="parcels have no tissue") as caught:
        read(tmp_path, parcels="atlas")
    fields = [problem.field for problem in caught.value.problems]
    assert "measures.bins.noise.scope" in fields
