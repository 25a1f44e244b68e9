"""Pooling as mice does it; who was scanned, and how arms differ, as R counts it."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from phmri.group.missing import count_scans, pool_imputations, standardised_difference

CHECKS = (
    "Q_missing_balance:rubin_pooling",
    "Q_missing_balance:disposition_counts",
    "Q_missing_balance:balance_smd_KET_vs_PLA",
)
REFERENCE = Path(__file__).parents[1] / "stats_reference"
EXPECTED = json.loads((REFERENCE / "expected" / "Q_missing_balance.json").read_text())["checks"]
VALUES = {check["id"]: check["value"] for check in EXPECTED}
SESSIONS = ("baseline", "acute", "h24")


@pytest.fixture(scope="module")
def rows():
    with (REFERENCE / "data" / "parallel3x3.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("value", VALUES["rubin_pooling"])
def test_rubin_and_barnard(value):
    effect, variance = (np.array(value[name])[:, None] for name in ("estimates", "variances"))
    found = pool_imputations(effect, variance, float(value["df_complete"]))
    numbers = {
        "pooled": found.effect,
        "t": found.effect / found.se,
        "se": found.se,
        "df": found.df,
        "p_two_sided": found.pvalue,
        "within": found.within,
        "between": found.between,
        "total": found.se**2,
        "lambda": found.share_missing,
        "df_rubin_old": (len(effect) - 1) / found.share_missing**2,
        "ci95_lo": found.effect - stats.t.ppf(0.975, found.df) * found.se,
        "ci95_hi": found.effect + stats.t.ppf(0.975, found.df) * found.se,
    }
    for name, number in numbers.items():
        assert_allclose(number, value[name], rtol=1e-9, err_msg=name)


def test_disposition(rows):
    value = VALUES["disposition_counts"]
    arms = {row["subject"]: row["arm"] for row in rows}
    place = {subject: index for index, subject in enumerate(arms)}
    present, moved = np.zeros((2, len(arms), 3), bool)
    for row in rows:
        cell = place[row["subject"]], SESSIONS.index(row["session"])
        present[cell] = row["roi_missing"] != ""
        moved[cell] = row["motion_excluded"] == "1"
    found = count_scans(list(arms.values()), present, ~moved)
    for arm, made, used in zip(found.arms, found.present, found.usable, strict=True):
        assert dict(zip(SESSIONS, made.tolist(), strict=True)) == value["present"][arm]
        assert dict(zip(SESSIONS, used.tolist(), strict=True)) == value["usable"][arm]
    assert found.complete.sum() == value["subjects_all3_usable"]
    two = count_scans(list(arms.values()), present[:, :2], ~moved[:, :2])
    assert two.complete.sum() == value["subjects_baseline_and_acute_usable"]


def test_balance(rows):
    def columns(arm):
        return np.array(
            [
                [
                    float(row["age"]),
                    float(row["cadss"]),
                    float(row["roi_complete"]),
                    float(row["sex"] == "M"),
                ]
                for row in rows
                if row["session"] == "baseline" and row["arm"] == arm
            ]
        )

    found = standardised_difference(columns("KET"), columns("PLA"))
    value = VALUES["balance_smd_KET_vs_PLA"]
    expected = [value[name] for name in ("age", "cadss", "roi_complete", "sexM")]
    assert_allclose(found, expected, rtol=1e-9)
