"""Published sample sizes for bioequivalence; the table is not ours to ship."""

import csv
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from phmri.simulation.power import crossover_precision, equivalence_power, sample_size

TABLE = Path(__file__).parents[2].parent / "shared/reference/stats/known/tost_samplesize_2x2.csv"

pytestmark = pytest.mark.skipif(
    not TABLE.is_file(), reason=f"published tables are not distributed: {TABLE} is absent"
)


def test_all_sample_sizes_and_their_power():
    with TABLE.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 40
    for row in rows:
        # On the log scale a coefficient of variation is this standard deviation.
        sd = np.sqrt(np.log1p(float(row["CV"]) ** 2))
        effect = np.log(float(row["theta0"]))

        def power_of(n, sd=sd, effect=effect):
            return equivalence_power(
                effect, crossover_precision(n, sd), (np.log(0.8), -np.log(0.8))
            )

        n = sample_size(power_of, float(row["power"]), least=4, step=2)
        assert n == int(row["n"])
        assert_allclose(power_of(n), float(row["achieved_power"]), rtol=1e-6)
