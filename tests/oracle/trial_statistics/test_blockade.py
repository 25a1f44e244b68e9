"""Blockade of the synthetic trials against R's linear models and closed forms."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose

from phmri.group import JointEstimate
from phmri.group.blockade import (
    KINDS,
    VERDICTS,
    attenuation,
    bootstrap_interval,
    equivalence_test,
    fieller_interval,
    judge_blockade,
    persistence,
)

HERE = Path(__file__).parents[1] / "stats_reference"
CHECKS = (
    "E_blockade_parallel:blockade_ancova_acute",
    "E_blockade_parallel:blockade_ancova_h24",
    "E_blockade_parallel:bootstrap_attenuation",
    "E_blockade_parallel:persistence_h24_over_acute",
    "E_blockade_parallel:fieller_grid",
    "E_blockade_parallel:tost_grid",
    "G_williams:williams3_fixed_subject_y",
    "G_williams:williams3_fixed_subject_y_missing",
    "G_williams:williams4_factorial_fixed_subject",
)
PAIRS = ("KET_minus_PLA", "LTGKET_minus_PLA", "KET_minus_LTGKET")
L = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, -1.0]])


def expected(check):
    file, name = check.split(":")
    checks = json.loads((HERE / "expected" / f"{file}.json").read_text())["checks"]
    found = next(c for c in checks if c["id"] == name)
    return found["value"], found["tol_rel"]


def indicators(labels, *, first=False):
    each = sorted(set(labels))
    return np.array(
        [[label == one for one in each[0 if first else 1 :]] for label in labels], float
    )


def fit(X, y):
    """Give coefficients, residual sum of squares per df, unscaled covariance and df."""
    unscaled = np.linalg.inv(X.T @ X)
    b = unscaled @ X.T @ y
    df = len(X) - X.shape[1]
    residual = y - X @ b
    return b, residual.T @ residual / df, unscaled, df


def joint_of(b, s2, unscaled, df, rows):
    covariance = s2 * rows @ unscaled @ rows.T
    return JointEstimate(
        names=("drug", "pretreated", "difference"),
        effect=(rows @ b)[:, None],
        covariance=covariance[None],
        df=np.full((3, 1), float(df)),
        status=np.zeros(1, np.uint8),
    )


@pytest.fixture(scope="module")
def parallel():
    """The complete region in subject order: X (KET and LTGKET first) and both later sessions."""
    frame = pd.read_csv(HERE / "data" / "parallel3x3.csv")
    y = frame.pivot_table(index="subject", columns="session", values="roi_complete")
    people = frame.drop_duplicates("subject").set_index("subject").loc[y.index]
    arms = [(people["arm"] == arm).to_numpy(float) for arm in ("KET", "LTGKET")]
    X = np.column_stack([*arms, np.ones(75), y["baseline"], people["sex"] == "M"]).astype(float)
    return X, y[["acute", "h24"]].to_numpy()


def assert_interval(found, want, tolerance, estimate):
    assert KINDS[found.kind[0]] == want["kind"]
    values = [found.estimate[0], found.g[0], found.low[0], found.high[0]]
    assert_allclose(values, [want[k] for k in (estimate, "g", "lo", "hi")], rtol=tolerance)


def assert_contrast(found, want, tolerance):
    values = (found.effect, found.se, found.df, found.pvalue, found.low, found.high)
    names = ("estimate", "se", "df", "p_two_sided", "ci95_lo", "ci95_hi")
    assert_allclose([v[0] for v in values], [want[n] for n in names], rtol=tolerance)


def assert_blockade(joint, value, tolerance):
    want = value["tost_ltgket_vs_pla"]
    found = judge_blockade(joint, margin=want["margin"])
    for one, name in zip((found.drug, found.pretreated, found.difference), PAIRS, strict=True):
        assert_contrast(one, value["contrasts"][name], tolerance)
    assert_allclose(joint.covariance[0], value["covariance_of_contrasts"], rtol=tolerance)
    directed = judge_blockade(joint, margin=None, alternative="greater")
    iut = value["iut_conjunction"]
    assert_allclose(directed.conjunction_pvalue, iut["p_iut"], rtol=tolerance)
    assert_allclose(
        [directed.drug.pvalue[0], directed.difference.pvalue[0]],
        [iut["p_one_sided_each"][name] for name in (PAIRS[0], PAIRS[2])],
        rtol=tolerance,
    )
    assert_interval(
        found.attenuation, value["attenuation_fieller95"], tolerance, "percent_attenuation"
    )
    assert_interval(
        attenuation(joint, 0.9),
        value["attenuation_fieller90"],
        tolerance,
        "percent_attenuation",
    )
    one = found.remaining
    assert_allclose(
        [one.pvalue_lower[0], one.pvalue_upper[0], one.pvalue[0], one.low[0], one.high[0]],
        [want[k] for k in ("p_lower", "p_upper", "p_tost", "ci90_lo", "ci90_hi")],
        rtol=tolerance,
    )
    return VERDICTS[found.verdict[0]]


@pytest.mark.parametrize(
    ("check", "session", "verdict"),
    [(CHECKS[0], 0, "partly blocked"), (CHECKS[1], 1, "undecided")],
)
def test_parallel_trial(parallel, check, session, verdict):
    X, Y = parallel
    value, tolerance = expected(check)
    b, s2, unscaled, df = fit(X, Y[:, session])
    rows = np.pad(L, ((0, 0), (0, 3)))
    assert assert_blockade(joint_of(b, s2, unscaled, df, rows), value, tolerance) == verdict


@pytest.mark.parametrize("check", CHECKS[6:8])
def test_crossover(check):
    value, tolerance = expected(check)
    frame = pd.read_csv(HERE / "data" / "williams3.csv")
    column = "y_missing" if check.endswith("missing") else "y"
    frame = frame[frame[column].notna()]
    treated = [(frame["treatment"] == t).to_numpy(float) for t in ("KET", "LTGKET")]
    X = np.column_stack(
        [*treated, indicators(frame["subject"], first=True), indicators(frame["period"])]
    )
    b, s2, unscaled, df = fit(X, frame[column].to_numpy())
    assert_allclose(s2, value["sigma2"], rtol=tolerance)
    rows = np.pad(L, ((0, 0), (0, X.shape[1] - 2)))
    joint = joint_of(b, s2, unscaled, df, rows)
    assert assert_blockade(joint, value["blockade"], tolerance) == "partly blocked"


def test_factorial():
    value, tolerance = expected(CHECKS[8])
    frame = pd.read_csv(HERE / "data" / "williams4_factorial.csv")
    drug = (frame["infusion"] == "KET").to_numpy(float)
    pretreated = (frame["pretreatment"] == "LTG").to_numpy(float)
    X = np.column_stack(
        [
            drug,
            pretreated,
            drug * pretreated,
            indicators(frame["subject"], first=True),
            indicators(frame["period"]),
        ]
    )
    b, s2, unscaled, df = fit(X, frame["y"].to_numpy())
    rows = np.array([[1.0, 0, 0], [1, 0, 1], [0, 0, -1]])
    joint = joint_of(b, s2, unscaled, df, np.pad(rows, ((0, 0), (0, X.shape[1] - 3))))
    found = judge_blockade(joint, margin=None, pretreatment_alone=True)
    assert found.identifiable
    assert VERDICTS[found.verdict[0]] == "partly blocked"
    assert_interval(found.attenuation, value["attenuation"], tolerance, "percent")
    assert_contrast(found.drug, value["contrasts"]["ket_without_ltg"], tolerance)
    assert_contrast(found.pretreated, value["contrasts"]["ket_with_ltg"], tolerance)
    interaction = value["contrasts"]["interaction"]
    assert_allclose(-found.difference.effect, interaction["estimate"], rtol=tolerance)
    assert_allclose(found.difference.se, interaction["se"], rtol=tolerance)
    assert_allclose(found.difference.pvalue, interaction["p_two_sided"], rtol=tolerance)


def test_persistence(parallel):
    X, Y = parallel
    value, tolerance = expected(CHECKS[3])
    b, S, unscaled, df = fit(X, Y)
    for k, name in enumerate(PAIRS[:2]):
        want = value[name]
        joint = JointEstimate(
            names=("early", "late"),
            effect=b[k][:, None],
            covariance=(S * unscaled[k, k])[None],
            df=np.full((2, 1), float(df)),
            status=np.zeros(1, np.uint8),
        )
        assert_allclose(joint.covariance[0], want["covariance"], rtol=tolerance)
        found = persistence(joint)
        assert_interval(found.ratio, want, tolerance, "ratio")
        assert_contrast(found.waning, want["acute_minus_h24"], tolerance)


def test_bootstrap(parallel):
    X, Y = parallel
    value, tolerance = expected(CHECKS[2])
    drawn = pd.read_csv(HERE / "data" / "boot_indices_parallel.csv").to_numpy(np.int64) - 1

    def percent(rows):
        b = fit(X[rows], Y[rows, 0])[0]
        return np.array([100.0 * (1.0 - b[1] / b[0])])

    found = bootstrap_interval(percent, drawn)
    assert_allclose([percent(r)[0] for r in drawn[:5]], value["first5"], rtol=tolerance)
    assert_allclose(found.estimate, value["t0"], rtol=tolerance)
    assert_allclose(found.sd, value["sd"], rtol=tolerance)
    assert_allclose(found.bias, value["z0"], rtol=tolerance)
    assert_allclose(found.acceleration, value["acceleration"], rtol=tolerance)
    assert_allclose(
        [found.percentile_low[0], found.percentile_high[0]],
        value["percentile_type6"],
        rtol=tolerance,
    )
    assert_allclose([found.low[0], found.high[0]], value["bca_type6"], rtol=tolerance)


def test_fieller_grid():
    value, tolerance = expected(CHECKS[4])
    args = np.array([one["args"] for one in value], float)
    found = fieller_interval(*args[:, :5].T, args[:, 5])
    assert [KINDS[k] for k in found.kind] == [one["kind"] for one in value]
    assert_allclose(found.estimate, [one["ratio"] for one in value], rtol=tolerance)
    assert_allclose(found.g, [one["g"] for one in value], rtol=tolerance)
    for name, infinite in (("lo", -np.inf), ("hi", np.inf)):
        want = [infinite if one[name] is None else one[name] for one in value]
        assert_allclose(found.low if name == "lo" else found.high, want, rtol=tolerance)


def test_tost_grid():
    value, tolerance = expected(CHECKS[5])
    for want in value:
        effect, se, df, lower, upper = map(float, want["args"])
        one = equivalence_test(np.array([effect]), np.array([se]), df, lower=lower, upper=upper)
        assert_allclose(
            [one.pvalue_lower[0], one.pvalue_upper[0], one.pvalue[0], one.low[0], one.high[0]],
            [want[k] for k in ("p_lower", "p_upper", "p_tost", "ci90_lo", "ci90_hi")],
            rtol=tolerance,
        )
        assert (one.pvalue[0] <= 0.05) == want["equivalent_at_05"]
