"""Published Bayes factors; the data are not ours to ship."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.group.bayes import jzs_bayes_factor

KNOWN = Path(__file__).parents[2].parent / "shared" / "reference" / "stats" / "known"

pytestmark = pytest.mark.skipif(
    not KNOWN.is_dir(), reason=f"published data are not distributed: {KNOWN} is absent"
)


@pytest.fixture
def rouder():
    checks = json.loads((KNOWN / "known_answers.json").read_text())["checks"]
    return next(c for c in checks if c["id"] == "rouder_jzs")


def test_rouder_2009(rouder):
    found = 1.0 / jzs_bayes_factor(np.array([2.03, 2.24]), 80, scale=1.0)
    published = rouder["published"]
    assert_allclose(found, [published["bf01_t2.03_n80"], published["bf01_t2.24_n80"]], atol=0.005)
    assert_allclose(found, rouder["computed_full_precision"]["bf01"], rtol=1e-6)


def test_sleep_of_student(rouder):
    with (KNOWN / "student_sleep.csv").open() as file:
        rows = list(csv.DictReader(file))
    values = {g: [float(r["extra"]) for r in rows if r["group"] == g] for g in ("1", "2")}
    d = np.array(values["1"]) - np.array(values["2"])
    t = np.array([d.mean() / d.std(ddof=1) * np.sqrt(d.size)])
    assert_allclose(t, rouder["computed_full_precision"]["sleep_t"], rtol=1e-9)
    found = jzs_bayes_factor(t, d.size)
    assert_allclose(found, rouder["published"]["sleep_bf10"], atol=5e-6)
