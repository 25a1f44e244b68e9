"""Models of crossovers and of all sessions, made from the protocol, against stats::lm."""

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from scipy import stats

from phmri.group import UnitTable, make_outcome, make_unit_design
from phmri.group.longitudinal import (
    LongSettings,
    carryover_design,
    make_long_design,
    make_long_table,
    make_unit_contrasts,
)
from phmri.group.mixed import fit_random_intercept, fit_unstructured
from phmri.group.robust import fit_cluster_robust, fit_ols, wald_test
from phmri.protocol import Crossover, Parallel, Question

HERE = Path(__file__).parents[1] / "stats_reference"
CHECKS = (
    "D_cluster_robust_parallel:swe_ols_roi_complete",
    "D_cluster_robust_parallel:swe_ols_roi_missing",
    "F_crossover2x2:xover_ttests",
    "F_crossover2x2:xover_fixed_subject_y",
    "F_crossover2x2:xover_fixed_subject_y_missing",
    "F_crossover2x2:xover_baseline_ancova_differences",
    "F_crossover2x2:xover_change_from_period_baseline",
    "G_williams:williams3_fixed_subject_y",
    "G_williams:williams3_fixed_subject_y_missing",
    "G_williams:williams3_carryover_y",
    "G_williams:williams3_carryover_y_missing",
    "G_williams:williams4_factorial_fixed_subject",
)
KEYS = ("estimate", "se", "df", "t", "p_two_sided", "ci95_lo", "ci95_hi")


@cache
def checks_of(file):
    return json.loads((HERE / "expected" / f"{file}.json").read_text())["checks"]


def expected(check):
    file, name = check.split(":")
    checks = checks_of(file)
    found = next(c for c in checks if c["id"] == name)
    return found["value"], found["tol_rel"]


def read(name):
    return pd.read_csv(HERE / "data" / f"{name}.csv", keep_default_na=True)


def numbers(joint):
    se = np.sqrt(np.einsum("vkk->kv", joint.covariance))
    t = joint.effect / se
    p = 2 * stats.t.sf(np.abs(t), joint.df)
    half = stats.t.ppf(0.975, joint.df) * se
    columns = (joint.effect, se, joint.df, t, p, joint.effect - half, joint.effect + half)
    return {name: [c[k, 0] for c in columns] for k, name in enumerate(joint.names)}


def assert_contrast(found, theirs, tolerance):
    assert_allclose(found, [theirs[k] for k in KEYS], rtol=tolerance)


def ask(contrast, estimator="crossover", **fields):
    return Question(
        text="t", role="primary", measure="m", contrast=contrast, estimator=estimator, **fields
    )


def units(frame, group):
    people = frame.drop_duplicates("subject").sort_values("subject")
    return UnitTable(
        subjects=tuple(people["subject"]),
        groups=tuple(people[group]),
        strata=("",) * len(people),
        covariates={},
    )


def crossover(name, column="y"):
    """Give table, outcomes in its rows, and the data they came from."""
    frame = read(name).sort_values(["subject", "period"])
    orders = frame.groupby("sequence").apply(
        lambda rows: tuple(rows.drop_duplicates("period")["treatment"]), include_groups=False
    )
    design = Crossover(
        kind="crossover", sequences={key: {"treatments": order} for key, order in orders.items()}
    )
    held = frame.dropna(subset=[column]).groupby("subject")["period"]
    cells = {subject: frozenset(map(int, periods)) for subject, periods in held}
    table = make_long_table(
        ask(("KET", "PLA") if "KET" in set(frame["treatment"]) else ("PLA_KET", "PLA_PLA")),
        design,
        units(frame, "sequence"),
        cells,
    )
    assert table.treatments == tuple(frame["treatment"])
    assert table.subjects == tuple(frame["subject"])
    return table, frame[[column]].to_numpy(), frame


FIXED = LongSettings(model="fixed_subject", contrast=("KET", "PLA"))
BLOCKADE = LongSettings(
    model="fixed_subject", contrast=("KET", "LTGKET"), references=("PLA", "PLA")
)


def fit(design, Y):
    return fit_ols(Y[design.rows], design.X, design.contrasts, design.names)


@pytest.mark.parametrize("column", ["y", "y_missing"])
def test_fixed_subjects_of_two_periods_equal_r(column):
    value, tolerance = expected(f"F_crossover2x2:xover_fixed_subject_{column}")
    table, Y, _ = crossover("xover2x2", column)
    found = numbers(fit(make_long_design(FIXED, table), Y))
    assert_contrast(found["KET - PLA"], value, tolerance)


@pytest.mark.parametrize("column", ["y", "y_missing"])
def test_fixed_subjects_of_three_periods_equal_r(column):
    value, tolerance = expected(f"G_williams:williams3_fixed_subject_{column}")
    table, Y, _ = crossover("williams3", column)
    joint = fit(make_long_design(BLOCKADE, table), Y)
    found, theirs = numbers(joint), value["blockade"]["contrasts"]
    for ours, name in (
        ("drug", "KET_minus_PLA"),
        ("pretreated", "LTGKET_minus_PLA"),
        ("difference", "KET_minus_LTGKET"),
    ):
        assert_contrast(found[ours], theirs[name], tolerance)
    assert joint.names == ("difference", "drug", "pretreated")
    order = np.ix_([1, 2, 0], [1, 2, 0])
    assert_allclose(
        joint.covariance[0][order], value["blockade"]["covariance_of_contrasts"], rtol=tolerance
    )
    test = wald_test(joint, ("drug", "pretreated"))
    assert_allclose(test.statistic, value["F_treatment"], rtol=tolerance)
    residual = joint.df[0, 0]
    assert residual == value["df"]


@pytest.mark.parametrize("column", ["y", "y_missing"])
def test_carry_over_equals_r(column):
    value, tolerance = expected(f"G_williams:williams3_carryover_{column}")
    table, Y, _ = crossover("williams3", column)
    design = carryover_design(BLOCKADE, table)
    joint = fit(design, Y)
    found = numbers(joint)
    for ours, name in (
        ("drug", "KET_minus_PLA"),
        ("pretreated", "LTGKET_minus_PLA"),
        ("difference", "KET_minus_LTGKET"),
    ):
        assert_contrast(found[ours], value["contrasts"][name], tolerance)
    carried = {name: f"carry-over {name} - PLA" for name in ("KET", "LTGKET")}
    for name, ours in carried.items():
        theirs = value["carry_coef"][f"carry_{name}"], value["carry_se"][f"carry_{name}"]
        assert_allclose(found[ours][:2], theirs, rtol=tolerance)
    test = wald_test(joint, tuple(carried.values()))
    F = value["F_carryover"]
    assert test.df_numerator == F["num_df"]
    assert_allclose(
        [test.statistic[0], test.df_denominator[0], test.pvalue[0]],
        [F["F"], F["den_df"], F["p"]],
        rtol=tolerance,
    )


def test_factorial_of_pretreatment_and_infusion_equals_r():
    value, tolerance = expected("G_williams:williams4_factorial_fixed_subject")
    theirs = value["contrasts"]
    table, Y, _ = crossover("williams4_factorial")
    settings = LongSettings(
        model="fixed_subject",
        contrast=("PLA_KET", "LTG_KET"),
        references=("PLA_PLA", "LTG_PLA"),
    )
    found = numbers(fit(make_long_design(settings, table), Y))
    assert_contrast(found["drug"], theirs["ket_without_ltg"], tolerance)
    assert_contrast(found["pretreated"], theirs["ket_with_ltg"], tolerance)
    estimate, se, df, t, p, low, high = found["difference"]
    # Theirs is the interaction: pretreated minus not.
    assert_contrast([-estimate, se, df, -t, p, -high, -low], theirs["interaction"], tolerance)
    for contrast, name in (
        (("LTG_PLA", "PLA_PLA"), "ltg_alone"),
        (("LTG_KET", "PLA_KET"), "ltg_on_ket"),
    ):
        plain = LongSettings(model="fixed_subject", contrast=contrast)
        found = numbers(fit(make_long_design(plain, table), Y))
        assert_contrast(found[" - ".join(contrast)], theirs[name], tolerance)


def two_periods():
    """Give the design of one row per participant and their images by treatment and period."""
    frame = read("xover2x2")
    design = Crossover(
        kind="crossover",
        sequences={"KP": {"treatments": ("KET", "PLA")}, "PK": {"treatments": ("PLA", "KET")}},
    )
    unit = make_unit_design(ask(("KET", "PLA")), design, units(frame, "sequence"))
    by_period = {
        column: frame.pivot_table(index="subject", columns="period", values=column).to_numpy()
        for column in ("y", "baseline")
    }
    return unit, by_period, frame


def test_half_differences_and_sums_equal_r():
    value, tolerance = expected("F_crossover2x2:xover_ttests")
    unit, by_period, frame = two_periods()
    y = by_period["y"]
    groups = unit.X[:, :2]
    half, total, first = ((y[:, 0] - y[:, 1]) / 2, y.sum(axis=1), y[:, 0])
    contrast = np.array([[1.0, -1]])
    for outcome, weights, key in (
        (half, contrast, "treatment"),
        (half, np.abs(contrast), "period1_minus_period2"),
        (total, contrast, "carryover_sum_difference"),
        (first, contrast, "period1_only_PAR"),
    ):
        found = numbers(fit_ols(outcome[:, None], groups, weights, (key,)))
        assert_contrast(found[key], value[key], tolerance)
    wide = frame.pivot_table(index="subject", columns="treatment", values="y")
    outcome = make_outcome(
        unit, {"first": wide[["KET"]].to_numpy(), "second": wide[["PLA"]].to_numpy()}
    )
    assert_allclose(outcome[:, 0], half, atol=1e-12)
    wrong = value["wrong_way_paired_t_ignoring_period"]
    paired = (wide["KET"] - wide["PLA"]).to_numpy()[:, None]
    found = numbers(fit_ols(paired, np.ones((len(paired), 1)), np.ones((1, 1)), ("paired",)))
    estimate, _, df, t, p, *_ = found["paired"]
    assert_allclose(
        [estimate, t, df, p], [wrong[k] for k in ("estimate", "t", "df", "p")], rtol=tolerance
    )


@pytest.mark.parametrize("voxelwise", [False, True])
def test_ancova_of_differences_equals_r(voxelwise):
    value, tolerance = expected("F_crossover2x2:xover_baseline_ancova_differences")
    unit, by_period, _ = two_periods()
    half = {k: (v[:, :1] - v[:, 1:]) / 2 for k, v in by_period.items()}
    total = by_period["baseline"].sum(axis=1, keepdims=True)
    for more, key in (((), "with_difference"), ((total,), "with_difference_and_sum")):
        shared = [unit.X, *more, *([] if voxelwise else [half["baseline"]])]
        X = np.column_stack(shared)
        contrasts = np.zeros((1, X.shape[1]))
        contrasts[0, :2] = 1, -1
        joint = fit_ols(
            half["y"], X, contrasts, ("d",), baseline=half["baseline"] if voxelwise else None
        )
        assert_contrast(numbers(joint)["d"], value[key], tolerance)
    if not voxelwise:
        X = np.column_stack([unit.X, half["baseline"]])
        slope = fit_ols(half["y"], X, np.eye(3)[2:], ("slope",)).effect[0, 0]
        assert_allclose(slope, value["with_difference"]["slope_db"], rtol=tolerance)


def test_within_and_between_baselines_give_the_same_effect():
    value, tolerance = expected("F_crossover2x2:xover_baseline_ancova_differences")
    table, Y, frame = crossover("xover2x2")
    baseline = frame["baseline"].to_numpy()
    design = make_long_design(FIXED, table, baseline=baseline)
    assert "baseline within" in design.columns
    assert "baseline between" not in design.columns
    found = numbers(fit(design, Y))["KET - PLA"]
    assert_contrast(found, value["with_difference"], tolerance)


def test_change_from_the_period_baseline_equals_r():
    value, tolerance = expected("F_crossover2x2:xover_change_from_period_baseline")
    table, Y, frame = crossover("xover2x2")
    change = Y - frame[["baseline"]].to_numpy()
    assert_contrast(
        numbers(fit(make_long_design(FIXED, table), change))["KET - PLA"], value, tolerance
    )


def sessions(column, **covariates):
    """Give table, outcomes, baseline numbers and data of the parallel trial."""
    frame = read("parallel3x3").sort_values("subject", kind="stable")
    trial = Parallel(kind="parallel", arms={a: {"treatment": a} for a in ("PLA", "KET", "LTGKET")})
    question = ask(("KET", "PLA"), "change", session="acute", baseline="baseline")
    held = frame.dropna(subset=[column]).groupby("subject")["session"]
    cells = {subject: frozenset(sessions) for subject, sessions in held}
    table = make_long_table(
        question,
        trial,
        replace(units(frame, "arm"), covariates=covariates),
        cells,
        sessions=("baseline", "acute", "h24"),
    )
    assert table.sessions == tuple(frame["session"])
    before = frame[frame["session"] == "baseline"].set_index("subject")[column]
    return table, frame[[column]].to_numpy(), before.loc[frame["subject"]].to_numpy()


@pytest.mark.parametrize("column", ["roi_complete", "roi_missing"])
def test_changes_of_all_sessions_equal_clubsandwich(column):
    value, tolerance = expected(f"D_cluster_robust_parallel:swe_ols_{column}")
    table, outcomes, _ = sessions(column)
    for session, arm in (("acute", "KET"), ("h24", "KET"), ("acute", "LTGKET")):
        settings = LongSettings(
            model="mixed",
            contrast=(arm, "PLA"),
            session=session,
            baseline="baseline",
            baseline_as="outcome",
        )
        design = make_long_design(settings, table)
        Y = outcomes[design.rows]
        joint = fit_cluster_robust(Y, design.X, design.subjects, design.contrasts, design.names)
        estimate, se, df, _, p, *_ = numbers(joint)[f"{arm} - PLA"]
        theirs = value["CR2"][f"change_{session}_{arm}_minus_PLA"]
        keys = ("estimate", "se", "df_satterthwaite", "p_satterthwaite")
        assert_allclose([estimate, se, df, p], [theirs[k] for k in keys], rtol=tolerance)


def given_covariance(design, Y, of_visits):
    """Weight by the covariance that R estimated: what is left is the model and its contrasts."""
    V = of_visits[np.ix_(design.visits, design.visits)]
    V = np.where(np.equal.outer(design.subjects, design.subjects), V, 0.0)
    Phi = np.linalg.inv(design.X.T @ np.linalg.solve(V, design.X))
    beta = Phi @ design.X.T @ np.linalg.solve(V, Y[design.rows, 0])
    C = design.contrasts
    return dict(
        zip(design.names, zip(C @ beta, np.sqrt(np.diag(C @ Phi @ C.T)), strict=True), strict=True)
    )


LONGITUDINAL = [
    ("B_lmm_parallel:lmm_ri_{}", "mixed", "outcome", "change_{}_{}"),
    ("B_lmm_parallel:lmm_ri_baseline_adjusted_{}", "mixed", "covariate", "{}_{}"),
    ("C_mmrm_clda_parallel:mmrm_un_post_{}", "mmrm", None, "{}_{}"),
    ("C_mmrm_clda_parallel:clda_un_{}", "clda", None, "{}_{}"),
]


@pytest.mark.parametrize("column", ["roi_complete", "roi_missing"])
@pytest.mark.parametrize(("check", "model", "role", "name"), LONGITUDINAL)
def test_longitudinal_models_equal_those_of_r(check, model, role, name, column):
    value, _ = expected(check.format(column))
    sex = units(read("parallel3x3"), "sex").groups
    people = {} if role == "outcome" else {"sex": np.array([[float(s == "M")] for s in sex])}
    table, Y, before = sessions(column, **people)
    if model == "mixed":
        of_visits = value["var_subject"] + value["var_residual"] * np.eye(3)
    else:
        of_visits = np.array(value["covariance"])
    for session, early in (("acute", "h24"), ("h24", "acute")):
        settings = LongSettings(
            model=model,
            contrast=("KET", "LTGKET"),
            references=("PLA", "PLA"),
            session=session,
            early=early,
            baseline="baseline",
            baseline_as=role,
        )
        adjusted = model == "mmrm" or role == "covariate"
        design = make_long_design(settings, table, baseline=before if adjusted else None)
        assert len(design.rows) == value["n_obs"]
        found = given_covariance(design, Y, of_visits)
        theirs = value["contrasts_satterthwaite"]
        for ours, pair, at in (
            ("drug", "KET_minus_PLA", session),
            ("pretreated", "LTGKET_minus_PLA", session),
            ("difference", "KET_minus_LTGKET", session),
            ("late", "KET_minus_LTGKET", session),
            ("early", "KET_minus_LTGKET", early),
        ):
            if name.format(at, pair) in theirs:
                reference = theirs[name.format(at, pair)]
                assert_allclose(
                    found[ours], [reference["estimate"], reference["se"]], rtol=2e-5, atol=1e-7
                )


@pytest.mark.parametrize("column", ["y", "y_missing"])
@pytest.mark.parametrize("with_sequence", [True, False])
@pytest.mark.parametrize("trial", ["F_crossover2x2:xover", "G_williams:williams3"])
def test_mixed_crossovers_equal_those_of_r(trial, with_sequence, column):
    word = "seq_" if with_sequence else "" if "williams3" in trial else "noseq_"
    value, _ = expected(f"{trial}_lmm_{word}{column}")
    table, Y, _ = crossover("williams3" if "williams3" in trial else "xover2x2", column)
    settings = replace(FIXED, model="mixed", with_sequence=with_sequence)
    design = make_long_design(settings, table)
    n_periods = design.visits.max() + 1
    found = given_covariance(
        design, Y, value["var_subject"] + value["var_residual"] * np.eye(n_periods)
    )
    theirs = value["satterthwaite"]
    theirs = theirs.get("KET_minus_PLA", theirs)
    assert_allclose(found["KET - PLA"], [theirs["estimate"], theirs["se"]], rtol=2e-6)


def test_mixed_crossover_with_split_baseline_equals_that_of_r():
    value, _ = expected("F_crossover2x2:xover_lmm_baseline_within_between")
    table, Y, frame = crossover("xover2x2")
    settings = replace(FIXED, model="mixed")
    design = make_long_design(settings, table, baseline=frame["baseline"].to_numpy())
    found = given_covariance(design, Y, value["var_subject"] + value["var_residual"] * np.eye(2))
    theirs = value["satterthwaite"]
    assert_allclose(found["KET - PLA"], [theirs["estimate"], theirs["se"]], rtol=2e-6)


def test_the_mixed_models_take_these_designs_as_they_are():
    value, _ = expected("F_crossover2x2:xover_lmm_seq_y_missing")
    table, Y, _ = crossover("xover2x2", "y_missing")
    design = make_long_design(replace(FIXED, model="mixed"), table)
    fit = fit_random_intercept(
        Y[design.rows],
        design.X,
        design.subjects,
        design.contrasts,
        design.names,
        information="expected",
    )
    found = numbers(fit.contrasts)["KET - PLA"]
    assert_allclose(found, [value["kenward_roger"][k] for k in KEYS], rtol=1e-5)

    value, _ = expected("C_mmrm_clda_parallel:clda_un_roi_missing")
    sex = units(read("parallel3x3"), "sex").groups
    table, Y, _ = sessions("roi_missing", sex=np.array([[float(s == "M")] for s in sex]))
    asked = LongSettings(
        model="clda", contrast=("KET", "PLA"), session="acute", baseline="baseline"
    )
    design = make_long_design(asked, table)
    fit = fit_unstructured(
        Y[design.rows],
        design.X,
        design.subjects,
        design.visits,
        design.contrasts,
        design.names,
        df_method="satterthwaite",
    )
    theirs = value["contrasts_satterthwaite"]["acute_KET_minus_PLA"]
    found = numbers(fit.contrasts)["KET - PLA"]
    assert_allclose(found[:3], [theirs[k] for k in KEYS[:3]], rtol=2e-5)


def test_contrasts_of_a_unit_design_equal_r():
    value, tolerance = expected("A_ols_parallel:change_score_acute")
    frame = read("parallel3x3")
    wide = frame.pivot_table(index="subject", columns="session", values="roi_complete")
    people = frame.drop_duplicates("subject").set_index("subject").loc[wide.index]
    table = UnitTable(
        subjects=tuple(wide.index),
        groups=tuple(people["arm"]),
        strata=tuple(people["sex"]),
        covariates={},
    )
    question = ask(("KET", "LTGKET"), "change", session="acute", baseline="baseline")
    trial = Parallel(
        kind="parallel",
        arms={a: {"treatment": a} for a in ("PLA", "KET", "LTGKET")},
        strata=("sex",),
    )
    unit = make_unit_design(question, trial, table)
    contrasts, names = make_unit_contrasts(BLOCKADE, unit)
    Y = (wide["acute"] - wide["baseline"]).to_numpy()[:, None]
    found = numbers(fit_ols(Y, unit.X, contrasts, names))
    theirs = value["contrasts"]
    assert_contrast(found["drug"], theirs["KET_minus_PLA"], tolerance)
    assert_contrast(found["pretreated"], theirs["LTGKET_minus_PLA"], tolerance)
    assert_contrast(found["difference"], theirs["KET_minus_LTGKET"], tolerance)
