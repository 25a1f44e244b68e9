"""Shrout and Fleiss's four judges, whose six reliabilities every text prints."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.group.reliability import intraclass_correlation

CHECKS = ("known_answers:shrout_fleiss",)
KNOWN = Path(__file__).parents[2].parent / "shared" / "reference" / "stats" / "known"

pytestmark = pytest.mark.skipif(
    not KNOWN.is_dir(), reason=f"published data are not distributed: {KNOWN} is absent"
)


def test_six_intraclass_correlations():
    with (KNOWN / "shrout_fleiss_1979.csv").open() as file:
        rows = [[float(row[f"judge{k}"]) for k in (1, 2, 3, 4)] for row in csv.DictReader(file)]
    checks = json.loads((KNOWN / "known_answers.json").read_text())["checks"]
    answer = next(check for check in checks if check["id"] == "shrout_fleiss")
    found = intraclass_correlation(np.array(rows)[:, :, None])
    assert_allclose(found.icc[:, 0].round(2), answer["published"]["icc"])
    full = answer["computed_full_precision"]
    for name, numbers in (
        ("icc", found.icc[:, 0]),
        ("F", found.f[:, 0]),
        ("df1", found.df[:, 0]),
        ("df2", found.df[:, 1]),
        ("ci95_lo", found.low[:, 0]),
        ("ci95_hi", found.high[:, 0]),
    ):
        assert_allclose(numbers, full[name], rtol=1e-9, err_msg=name)
