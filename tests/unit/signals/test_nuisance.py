"""The nuisance part of a design against the projection made of the same choices."""

import numpy as np
import pytest

from phmri.dataset import Confounds
from phmri.exceptions import DegreesOfFreedomError, SignalsError
from phmri.protocol import Censor, Denoising
from phmri.signals import make_cleaning, make_nuisance

N, T_R = 80, 2.0
MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")


def make_table(*, leading=0, displaced=()):
    rng = np.random.default_rng(3)
    motion = 1e-3 * np.cumsum(rng.standard_normal((N, 6)), axis=0)
    displacement = np.full(N, 0.1)
    displacement[0] = np.nan
    displacement[list(displaced)] = 2.0
    marks = np.eye(N)[:, :leading]
    return Confounds(
        names=(
            *MOTION,
            "framewise_displacement",
            *(f"non_steady_state_outlier{i:02d}" for i in range(leading)),
        ),
        values=np.column_stack([motion, displacement, marks]),
        metadata={},
        path="c.tsv",
    )


def setting(**changes):
    return Denoising(**{"strategy": "24motion", "highpass_hz": 0.008, "min_df": 3} | changes)


def residual(X, y):
    return y - X @ np.linalg.lstsq(X, y, rcond=None)[0]


@pytest.mark.parametrize("displaced", [(), (10, 11, 40)])
def test_it_spans_what_the_cleaning_removes(displaced):
    table = make_table(leading=2, displaced=displaced)
    denoising = setting(censor=Censor(fd_mm=0.5))
    extra = np.random.default_rng(5).standard_normal((N, 2)) * 1e4
    options = {"n_volumes": N, "t_r": T_R, "extra": extra, "extra_names": ("a", "b")}
    nuisance = make_nuisance(denoising, table, **options)
    cleaning = make_cleaning(denoising, table, **options)
    assert nuisance.first_volume == cleaning.n_steady == 2
    assert nuisance.n_censored == cleaning.n_censored == len(displaced)
    assert nuisance.X.shape == (N - 2, len(nuisance.names))
    y = np.random.default_rng(9).standard_normal(N)
    left = residual(nuisance.X, y[2:])
    kept = cleaning.sample_mask[2:]
    basis = cleaning.basis
    inside = basis @ (basis.T @ y[cleaning.sample_mask])
    expected = inside if cleaning.kind == "keep" else y[cleaning.sample_mask] - inside
    np.testing.assert_allclose(left[kept], expected, atol=1e-9)
    np.testing.assert_allclose(left[~kept], 0.0, atol=1e-9)
    rank = np.linalg.matrix_rank(nuisance.X)
    assert nuisance.X.shape[0] - rank == cleaning.df


def test_columns_are_named_and_scaled():
    table = make_table(displaced=(7,))
    nuisance = make_nuisance(
        setting(strategy="6motion", censor=Censor(fd_mm=0.5)), table, n_volumes=N, t_r=T_R
    )
    assert nuisance.names == ("constant", "dct01", "dct02", *MOTION, "censored_7")
    np.testing.assert_array_equal(nuisance.X[:, 0], 1.0)
    np.testing.assert_array_equal(nuisance.X[:, -1], np.eye(N)[7])
    motion = np.delete(nuisance.X[:, 3:9], 7, axis=0)
    np.testing.assert_allclose(motion.std(axis=0), 1.0)
    np.testing.assert_array_equal(nuisance.X[7, 3:9], 0.0)
    assert any("regressor of its own" in sentence for sentence in nuisance.sentences)
    assert any("below 0.008 Hz were modelled" in sentence for sentence in nuisance.sentences)


def test_a_missing_value_in_a_censored_volume_does_no_harm():
    table = make_table(displaced=(7,))
    table.values[7, 0] = np.nan
    nuisance = make_nuisance(
        setting(strategy="6motion", censor=Censor(fd_mm=0.5)), table, n_volumes=N, t_r=T_R
    )
    assert np.isfinite(nuisance.X).all()


def test_a_column_that_does_not_vary_is_left_out():
    extra = np.column_stack([np.full(N, 5.0), np.arange(N)])
    nuisance = make_nuisance(
        setting(strategy="none", highpass_hz=None),
        None,
        n_volumes=N,
        t_r=T_R,
        extra=extra,
        extra_names=("flat", "line"),
        extra_sentence="A line",
    )
    assert nuisance.names == ("constant", "line")
    assert nuisance.sentences[-1] == "A line"


def test_a_lowpass_is_refused_with_all_reasons():
    with pytest.raises(SignalsError) as caught:
        make_nuisance(
            setting(filter="butterworth", lowpass_hz=0.1), make_table(), n_volumes=N, t_r=T_R
        )
    assert [problem.field for problem in caught.value.problems] == ["filter", "lowpass_hz"]


def test_too_few_degrees_of_freedom():
    with pytest.raises(DegreesOfFreedomError, match="min_df"):
        make_nuisance(setting(min_df=60), make_table(), n_volumes=N, t_r=T_R)


def test_the_extra_sentence_reaches_the_methods():
    extra = np.arange(N, dtype=float)[:, None]
    options = {"n_volumes": N, "t_r": T_R, "extra": extra, "extra_names": ("line",)}
    denoising = setting(strategy="none")
    told = make_cleaning(denoising, None, **options, extra_sentence="A line").sentences
    assert told[-1] == "A line"
    assert "1 task regressors" in make_cleaning(denoising, None, **options).sentences[-1]
