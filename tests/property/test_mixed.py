"""What no mixed model may depend on: order of rows, units, coding of the model."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from phmri.group.mixed import fit_random_intercept, fit_unstructured

MODELS = ("random intercept", "unstructured")
L = np.eye(6)[4:]


def trial(seed):
    rng = np.random.default_rng(seed)
    n = 18
    subjects, visits = np.repeat(np.arange(n), 3), np.tile(np.arange(3), n)
    arm = subjects % 2
    late = [(visits == k).astype(float) for k in (1, 2)]
    X = np.column_stack([np.ones(3 * n), arm, *late, *(arm * part for part in late)])
    Y = rng.standard_normal((3 * n, 4)) + 2.0 * rng.standard_normal((n, 4))[subjects]
    Y[rng.integers(0, 3 * n, 5), 1:] = np.nan
    return Y, X, subjects, visits


def fit(model, Y, X, subjects, visits, contrasts=L):
    if model == "unstructured":
        return fit_unstructured(Y, X, subjects, visits, contrasts, ("a", "b"))
    return fit_random_intercept(Y, X, subjects, contrasts, ("a", "b"))


def compare(one, other, scale=1.0):
    assert (one.contrasts.status == other.contrasts.status).all()
    assert_allclose(other.contrasts.effect, scale * one.contrasts.effect, rtol=1e-6, atol=1e-8)
    assert_allclose(other.contrasts.covariance, scale**2 * one.contrasts.covariance, rtol=1e-6)
    assert_allclose(other.contrasts.df, one.contrasts.df, rtol=1e-5)
    assert_allclose(other.omnibus.statistic, one.omnibus.statistic, rtol=1e-5)


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_order_of_rows_and_names_of_participants(model, seed):
    Y, X, subjects, visits = trial(seed)
    rng = np.random.default_rng(seed + 1)
    order = rng.permutation(len(Y))
    renamed = rng.permutation(1000)[:18][subjects]
    compare(
        fit(model, Y, X, subjects, visits),
        fit(model, Y[order], X[order], renamed[order], visits[order]),
    )


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=6, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    scale=st.sampled_from([-1e6, 1e-7, 3.0]),
    shift=st.floats(-50.0, 50.0),
)
def test_units_and_what_the_model_holds(model, seed, scale, shift):
    Y, X, subjects, visits = trial(seed)
    compare(
        fit(model, Y, X, subjects, visits),
        fit(model, scale * (Y + shift * X[:, 1:2]), X, subjects, visits),
        scale,
    )


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_coding_of_the_model(model, seed):
    Y, X, subjects, visits = trial(seed)
    turn = np.random.default_rng(seed).standard_normal((6, 6)) + 3.0 * np.eye(6)
    compare(
        fit(model, Y, X, subjects, visits),
        fit(model, Y, X @ turn, subjects, visits, L @ turn),
    )


@pytest.mark.parametrize("model", MODELS)
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_kenward_and_roger_never_narrow(model, seed):
    Y, X, subjects, visits = trial(seed)
    plain = (
        fit_unstructured(Y, X, subjects, visits, L, ("a", "b"), df_method="satterthwaite")
        if model == "unstructured"
        else fit_random_intercept(Y, X, subjects, L, ("a", "b"), df_method="satterthwaite")
    )
    wide = fit(model, Y, X, subjects, visits)
    diagonal = np.einsum("vcc->vc", wide.contrasts.covariance - plain.contrasts.covariance)
    assert (diagonal > -1e-9).all()
