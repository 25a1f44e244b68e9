"""What holds for every projection: idempotent, orthogonal, blind to order and scale of columns."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from phmri.dataset import Confounds
from phmri.protocol import Denoising
from phmri.signals import make_cleaning

MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")


@st.composite
def cases(draw):
    n = draw(st.integers(40, 70))
    rng = np.random.default_rng(draw(st.integers(0, 2**31)))
    scale = 10.0 ** rng.uniform(-4, 4, 8)
    offset = rng.uniform(-1e3, 1e3, 8) * scale
    values = rng.standard_normal((n, 8)) * scale + offset
    low = draw(st.sampled_from([None, 0.15]))
    return n, values, Denoising(strategy="6motion", highpass_hz=0.02, lowpass_hz=low, min_df=3)


def make(n, values, setting):
    table = Confounds(names=MOTION, values=values[:, :6], metadata={}, path="c.tsv")
    return make_cleaning(
        setting, table, n_volumes=n, t_r=2.0, extra=values[:, 6:], extra_names=("a", "b")
    )


def projector(cleaning):
    inside = cleaning.basis @ cleaning.basis.T
    return inside if cleaning.kind == "keep" else np.eye(len(inside)) - inside


@settings(max_examples=25, deadline=None)
@given(cases())
def test_projection(case):
    n, values, setting = case
    cleaning = make(n, values, setting)
    P = projector(cleaning)
    np.testing.assert_allclose(P @ P, P, atol=1e-10)
    np.testing.assert_allclose(P, P.T, atol=1e-12)
    np.testing.assert_allclose(np.trace(P), cleaning.df, atol=1e-8)
    left = np.linalg.norm(P @ values, axis=0) / np.linalg.norm(values, axis=0)
    assert left.max() < 1e-6
    assert np.abs(P.sum(axis=0)).max() < 1e-10


@settings(max_examples=25, deadline=None)
@given(cases(), st.permutations(range(8)))
def test_order_and_scale_of_columns_do_not_matter(case, order):
    n, values, setting = case
    one = projector(make(n, values, setting))
    other = projector(make(n, values[:, order] * np.linspace(-3, 2, 8), setting))
    np.testing.assert_allclose(one, other, atol=1e-7)
