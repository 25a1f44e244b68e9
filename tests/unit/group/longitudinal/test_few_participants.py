import numpy as np
import pytest
from numpy.testing import assert_array_equal

from phmri.exceptions import DesignError
from phmri.group import check_covariance, fit_long_design, make_long_design, make_long_table
from phmri.group.mixed import fit_unstructured
from phmri.protocol import Parallel
from tests.unit.group.longitudinal.long_trials import ask, settings, units


def two_arms(n_each, sessions=("pre", "acute", "day"), **covariates):
    table = units(["PLA", "KET"] * n_each, **covariates)
    trial = Parallel(kind="parallel", arms={arm: {"treatment": arm} for arm in ("PLA", "KET")})
    cells = dict.fromkeys(table.subjects, frozenset(sessions))
    return make_long_table(ask(), trial, table, cells, sessions=sessions)


def draw(design, n=40):
    return np.random.default_rng(2).normal(size=(len(design.rows), n))


def test_two_per_arm_are_too_few_for_a_covariance_of_three_sessions():
    design = make_long_design(settings("clda"), two_arms(2))
    with pytest.raises(DesignError) as caught:
        fit_long_design(design, draw(design))
    (problem,) = caught.value.problems
    assert problem.what == (
        "too few participants to estimate a covariance of 3 sessions beside 2 means and slopes in "
        "a session"
    )
    assert problem.found == "4 participants with data in all of these"
    assert problem.expected.startswith("at least 5, or estimator mixed")


def test_one_more_is_enough():
    design = make_long_design(settings("clda"), two_arms(3))
    check_covariance(design)
    assert (fit_long_design(design, draw(design)).status < 2).mean() > 0.9


def test_covariates_cost_participants():
    table = two_arms(3, age=[1, 5, 2, 7, 3, 4], dose=[2, 1, 1, 3, 5, 1])
    with pytest.raises(DesignError, match="beside 4 means and slopes"):
        check_covariance(make_long_design(settings("clda"), table))


@pytest.mark.parametrize("errors", ["model", "cr2"])
def test_two_per_arm_are_answered_without_a_covariance_of_sessions(errors):
    mixed = make_long_design(settings("mixed", baseline_as="common"), two_arms(2))
    check_covariance(mixed)
    joint = fit_long_design(mixed, draw(mixed), errors=errors)
    assert (joint.status < 2).all()
    assert (joint.covariance[:, 0, 0] > 0).all()
    clustered = make_long_design(settings("clda"), two_arms(2))
    assert_array_equal(fit_long_design(clustered, draw(clustered), errors="cr2").status, 0)


def test_a_failed_search_never_leaves_a_variance_below_zero():
    design = make_long_design(settings("clda"), two_arms(2, sessions=("pre", "acute")))
    joint = fit_long_design(design, draw(design, 400))
    left = joint.status != 3
    assert left.any()
    assert (joint.covariance[left][:, 0, 0] > 0).all()
    assert (joint.df[0, left] > 0).all()
    assert np.isnan(joint.effect[:, ~left]).all()


def test_people_with_sessions_missing_tell_nothing_of_all_sessions_together():
    groups, sessions = ["PLA", "KET"] * 3, ("pre", "acute", "day")
    trial = Parallel(kind="parallel", arms={arm: {"treatment": arm} for arm in ("PLA", "KET")})
    table = units(groups)
    cells = dict.fromkeys(table.subjects, frozenset(sessions)) | {"03": frozenset({"pre"})}
    cells |= {"04": frozenset({"pre", "acute"})}
    design = make_long_design(
        settings("clda"), make_long_table(ask(), trial, table, cells, sessions=sessions)
    )
    with pytest.raises(DesignError, match="covariance of 3 sessions") as caught:
        check_covariance(design)
    (problem,) = caught.value.problems
    assert problem.found == "4 participants with data in all of these"


def test_what_is_refused_has_no_maximum_and_the_rest_mostly_has():
    """Two to four per arm, sessions missing at random."""
    rng = np.random.default_rng(8)
    trial = Parallel(kind="parallel", arms={arm: {"treatment": arm} for arm in ("PLA", "KET")})
    shares = {True: [], False: []}
    for _ in range(40):
        table = units(["PLA", "KET"] * int(rng.integers(2, 5)))
        cells = {
            who: frozenset({"pre", *(s for s in ("acute", "day") if rng.random() > 0.25)})
            for who in table.subjects
        }
        try:
            design = make_long_design(
                settings("clda"),
                make_long_table(ask(), trial, table, cells, sessions=("pre", "acute", "day")),
            )
        except DesignError:
            continue
        try:
            check_covariance(design)
            refused = False
        except DesignError:
            refused = True
        fit = fit_unstructured(
            draw(design, 8),
            design.X,
            design.subjects,
            design.visits,
            design.contrasts,
            design.names,
        )
        shares[refused].append(float((fit.contrasts.status < 2).mean()))
    assert min(map(len, shares.values())) > 5
    assert np.mean(shares[True]) < 0.3
    assert np.mean(shares[False]) > 0.9
