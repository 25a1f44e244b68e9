"""Strategies, columns, filters, censoring and degrees of freedom."""

import numpy as np
import pytest
import scipy.linalg
from nilearn import signal

from phmri.dataset import Confounds
from phmri.exceptions import SignalsError
from phmri.firstlevel import clean
from phmri.protocol import Censor, Denoising
from phmri.signals import list_strategies, make_cleaning

N, T_R = 120, 2.0
MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
OLD = ("X", "Y", "Z", "RotX", "RotY", "RotZ")
TISSUE = ("white_matter", "csf", "global_signal")


def make_table(names, seed=0, n=N, metadata=None):
    rng = np.random.default_rng(seed)
    values = np.cumsum(rng.standard_normal((n, len(names))), axis=0)
    return Confounds(names=tuple(names), values=values, metadata=metadata or {}, path="c.tsv")


def with_columns(table, **columns):
    return Confounds(
        names=(*table.names, *columns),
        values=np.column_stack([table.values, *columns.values()]),
        metadata=table.metadata,
        path=table.path,
    )


def projector(cleaning):
    basis = cleaning.basis
    inside = basis @ basis.T
    return inside if cleaning.kind == "keep" else np.eye(basis.shape[0]) - inside


def full_table():
    components = [f"a_comp_cor_{i:02d}" for i in range(6)]
    return make_table([*MOTION, *TISSUE, *components, "cosine00", "aroma_motion_01"])


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("none", 0),
        ("6motion", 6),
        ("24motion", 24),
        ("6motion_wmcsf", 8),
        ("24motion_wmcsf", 26),
        ("24motion_wmcsf_gsr", 27),
        ("36p", 36),
        ("acompcor", 12 + 5 + 1),
        ("acompcor_gsr", 13 + 5 + 1),
        ("aroma", 3),
        ("aroma_gsr", 4),
    ],
)
def test_every_strategy_takes_its_number_of_columns(name, count):
    cleaning = make_cleaning(Denoising(strategy=name), full_table(), n_volumes=N, t_r=T_R)
    assert len(cleaning.regressors) == count + 1
    assert cleaning.df == N - 1 - count
    assert any("doi:" in sentence for sentence in cleaning.sentences) == (name != "none")


def test_strategies_are_those_of_the_protocol():
    allowed = Denoising.model_json_schema()["properties"]["strategy"]["enum"]
    assert [strategy.name for strategy in list_strategies()] == allowed


def test_old_names_give_the_same_projection():
    new = make_table([*MOTION, "white_matter", "csf"])
    old = Confounds(
        names=(*OLD, "WhiteMatter", "CSF"), values=new.values, metadata={}, path="old.tsv"
    )
    setting = Denoising(strategy="24motion_wmcsf")
    a, b = (projector(make_cleaning(setting, t, n_volumes=N, t_r=T_R)) for t in (new, old))
    np.testing.assert_allclose(a, b, atol=1e-10)


def test_computed_differences_equal_those_of_the_table():
    table = make_table(MOTION)
    difference = np.vstack([np.full(6, np.nan), np.diff(table.values, axis=0)])
    given = with_columns(
        table, **{f"{m}_derivative1": difference[:, i] for i, m in enumerate(MOTION)}
    )
    setting = Denoising(strategy="24motion")
    plain = make_cleaning(setting, table, n_volumes=N, t_r=T_R)
    full = make_cleaning(setting, given, n_volumes=N, t_r=T_R)
    np.testing.assert_allclose(projector(plain), projector(full), atol=1e-10)
    assert any("trans_x_derivative1" in sentence for sentence in plain.sentences)


def test_missing_columns_are_all_named():
    table = make_table([*MOTION[:5], "white_matter"])
    with pytest.raises(SignalsError) as caught:
        make_cleaning(Denoising(strategy="6motion_wmcsf"), table, n_volumes=N, t_r=T_R)
    assert {p.field for p in caught.value.problems} == {"rot_z", "csf"}
    assert "rot_y" in str(caught.value)
    assert "c.tsv" in str(caught.value)


def test_components_per_tissue_come_from_the_sidecar():
    names = [f"a_comp_cor_{i:02d}" for i in range(12)]
    masks = ["combined"] * 4 + ["WM"] * 4 + ["CSF"] * 4
    metadata = {n: {"Mask": m} for n, m in zip(names, masks, strict=True)}
    table = make_table([*MOTION, *names], metadata=metadata)
    setting = Denoising(strategy="acompcor", n_compcor=3)
    cleaning = make_cleaning(setting, table, n_volumes=N, t_r=T_R)
    used = [name for name in cleaning.regressors if "comp_cor" in name]
    assert used == [names[i] for i in (4, 5, 6, 8, 9, 10)]
    with pytest.raises(SignalsError, match="5 aCompCor components of the WM mask"):
        make_cleaning(Denoising(strategy="acompcor"), table, n_volumes=N, t_r=T_R)


def test_gap_in_a_confound_is_refused_with_its_row():
    table = make_table(MOTION)
    table.values[7, 2] = np.nan
    with pytest.raises(SignalsError, match="rows 8"):
        make_cleaning(Denoising(strategy="6motion"), table, n_volumes=N, t_r=T_R)


def test_gap_in_the_first_row_of_a_plain_column_is_refused():
    table = make_table(MOTION)
    table.values[0, 0] = np.nan
    with pytest.raises(SignalsError, match="trans_x"):
        make_cleaning(Denoising(strategy="6motion"), table, n_volumes=N, t_r=T_R)


def test_start_goes_first_then_outliers():
    steady = np.zeros((N, 2))
    steady[0, 0] = steady[1, 1] = 1
    fd = np.full(N, 0.1)
    fd[[0, 1, 50, 51]] = 3.0
    fd[0] = np.nan
    table = with_columns(
        make_table(MOTION),
        non_steady_state_outlier00=steady[:, 0],
        non_steady_state_outlier01=steady[:, 1],
        framewise_displacement=fd,
    )
    setting = Denoising(strategy="6motion", highpass_hz=0.01, censor=Censor(fd_mm=0.5))
    cleaning = make_cleaning(setting, table, n_volumes=N, t_r=T_R)
    assert (cleaning.n_steady, cleaning.n_censored) == (2, 2)
    assert np.flatnonzero(~cleaning.sample_mask).tolist() == [0, 1, 50, 51]
    n_cosines = int(np.floor(2 * (N - 2) * T_R * 0.01))
    assert cleaning.df == N - 4 - 1 - 6 - n_cosines


def test_discarded_volumes_may_exceed_the_marked_ones():
    setting = Denoising(strategy="none", discard_volumes=5)
    cleaning = make_cleaning(setting, None, n_volumes=N, t_r=T_R)
    assert cleaning.sample_mask[:6].tolist() == [False] * 5 + [True]
    assert cleaning.df == N - 6


def test_censoring_equals_spike_regressors():
    """Dropping volumes and modelling each with its own column leave the same residuals."""
    fd = np.full(N, 0.1)
    fd[[20, 21, 77]] = 1.0
    table = with_columns(make_table(MOTION), framewise_displacement=fd)
    y = np.random.default_rng(3).standard_normal((N, 4))
    dropped = make_cleaning(
        Denoising(strategy="6motion", highpass_hz=0.01, censor=Censor(fd_mm=0.5)),
        table,
        n_volumes=N,
        t_r=T_R,
    )
    spikes = np.eye(N)[:, fd > 0.5]
    modelled = make_cleaning(
        Denoising(strategy="6motion", highpass_hz=0.01),
        table,
        n_volumes=N,
        t_r=T_R,
        extra=spikes,
        extra_names=("a", "b", "c"),
    )
    assert dropped.df == modelled.df
    np.testing.assert_allclose(
        clean(dropped, y), clean(modelled, y)[dropped.sample_mask], atol=1e-10
    )


def test_cosine_highpass_equals_nilearn():
    """White confounds: nilearn drops its filter when one correlates > 0.9 with a cosine."""
    white = np.random.default_rng(0).standard_normal((N, 6))
    table = Confounds(names=MOTION, values=white, metadata={}, path="c.tsv")
    y = np.random.default_rng(1).standard_normal((N, 5))
    cleaning = make_cleaning(
        Denoising(strategy="6motion", highpass_hz=0.01), table, n_volumes=N, t_r=T_R
    )
    expected = signal.clean(
        y,
        confounds=table.values,
        high_pass=0.01,
        t_r=T_R,
        filter="cosine",
        detrend=False,
        standardize=None,
    )
    expected -= expected.mean(axis=0)
    np.testing.assert_allclose(clean(cleaning, y), expected, atol=1e-9)


@pytest.mark.parametrize(("high", "low"), [(0.01, 0.1), (0.01, None), (None, 0.1)])
def test_butterworth_equals_nilearn(high, low):
    table = make_table(MOTION)
    y = np.cumsum(np.random.default_rng(2).standard_normal((N, 5)), axis=0)
    setting = Denoising(
        strategy="6motion", highpass_hz=high, lowpass_hz=low, filter="butterworth", min_df=5
    )
    cleaning = make_cleaning(setting, table, n_volumes=N, t_r=T_R)
    expected = signal.clean(
        y,
        confounds=table.values,
        high_pass=high,
        low_pass=low,
        t_r=T_R,
        detrend=True,
        standardize="zscore_sample",
    )
    ours = clean(cleaning, y)
    np.testing.assert_allclose(
        np.corrcoef(expected.T),
        (ours.T @ ours) / np.outer(*[np.linalg.norm(ours, axis=0)] * 2),
        atol=1e-6,
    )


def test_butterworth_df_is_the_effective_number():
    setting = Denoising(strategy="none", highpass_hz=0.01, lowpass_hz=0.1, filter="butterworth")
    cleaning = make_cleaning(setting, None, n_volumes=N, t_r=T_R)
    V = cleaning.basis.T @ cleaning.basis
    assert cleaning.df == pytest.approx(np.trace(V) ** 2 / np.trace(V @ V), rel=1e-6)


def test_lowpass_removes_the_cosines_above():
    setting = Denoising(strategy="none", highpass_hz=0.01, lowpass_hz=0.1, min_df=3)
    cleaning = make_cleaning(setting, None, n_volumes=N, t_r=T_R)
    P = projector(cleaning)
    time = np.arange(N) + 0.5
    for order in range(1, N):
        cosine = np.cos(np.pi * order * time / N)
        kept = 0.01 < order / (2 * N * T_R) <= 0.1
        expected = cosine if kept else np.zeros(N)
        np.testing.assert_allclose(P @ cosine, expected, atol=1e-9)


def test_dependent_and_constant_columns_cost_nothing():
    table = make_table(MOTION)
    setting = Denoising(strategy="6motion")
    extra = np.column_stack([table.values @ np.arange(1.0, 7.0), np.full(N, 1e4)])
    more = make_cleaning(
        setting, table, n_volumes=N, t_r=T_R, extra=extra, extra_names=("sum", "flat")
    )
    less = make_cleaning(setting, table, n_volumes=N, t_r=T_R)
    assert more.df == less.df
    np.testing.assert_allclose(projector(more), projector(less), atol=1e-8)


def test_column_of_great_mean_and_small_change_is_removed():
    table = make_table(MOTION)
    change = np.random.default_rng(5).standard_normal(N)
    cleaning = make_cleaning(
        Denoising(strategy="6motion"),
        table,
        n_volumes=N,
        t_r=T_R,
        extra=(1e5 + change)[:, None],
        extra_names=("x",),
    )
    left = clean(cleaning, change[:, None])
    assert np.abs(left).max() < 1e-8


def test_too_few_degrees_of_freedom_tell_all_numbers():
    table = make_table([*MOTION, *TISSUE], n=50)
    with pytest.raises(SignalsError, match=r"13\.0 \(50 volumes, 0 removed.*37 regressors\)"):
        make_cleaning(Denoising(strategy="36p"), table, n_volumes=50, t_r=T_R)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lowpass_hz": 0.25}, "Nyquist"),
        ({"highpass_hz": 0.1, "lowpass_hz": 0.05}, "empty"),
        ({"filter": "butterworth"}, "nothing to filter"),
        ({"discard_volumes": 200}, "no volume is left"),
        ({"strategy": "6motion"}, "no confound table"),
        ({"censor": Censor(fd_mm=0.5)}, "no confound table"),
    ],
)
def test_settings_that_cannot_be_used(options, message):
    setting = Denoising(**({"strategy": "none"} | options))
    with pytest.raises(SignalsError, match=message):
        make_cleaning(setting, None, n_volumes=N, t_r=T_R)


def test_butterworth_refuses_censoring():
    fd = np.zeros(N)
    table = with_columns(make_table(MOTION), framewise_displacement=fd)
    setting = Denoising(
        strategy="6motion", highpass_hz=0.01, filter="butterworth", censor=Censor(fd_mm=0.5)
    )
    with pytest.raises(SignalsError, match="cannot be combined with censoring"):
        make_cleaning(setting, table, n_volumes=N, t_r=T_R)


def test_butterworth_refuses_a_run_too_short_for_it():
    setting = Denoising(
        strategy="none", highpass_hz=0.01, lowpass_hz=0.1, filter="butterworth", min_df=3
    )
    with pytest.raises(SignalsError, match="too short"):
        make_cleaning(setting, None, n_volumes=30, t_r=T_R)


def test_rows_must_be_volumes():
    with pytest.raises(SignalsError, match="120 rows"):
        make_cleaning(Denoising(strategy="6motion"), make_table(MOTION), n_volumes=N + 1, t_r=T_R)


def test_censoring_needs_its_column():
    setting = Denoising(strategy="6motion", censor=Censor(fd_mm=0.5, std_dvars=1.5))
    with pytest.raises(SignalsError) as caught:
        make_cleaning(setting, make_table(MOTION), n_volumes=N, t_r=T_R)
    assert [p.field for p in caught.value.problems] == ["framewise_displacement", "std_dvars"]


def test_extra_regressors_must_fit():
    with pytest.raises(SignalsError, match="do not fit"):
        make_cleaning(
            Denoising(strategy="none"),
            None,
            n_volumes=N,
            t_r=T_R,
            extra=np.zeros((N - 1, 1)),
            extra_names=("x",),
        )


def test_basis_is_that_of_the_design():
    table = make_table(MOTION)
    cleaning = make_cleaning(Denoising(strategy="6motion"), table, n_volumes=N, t_r=T_R)
    X = np.column_stack([np.ones(N), table.values])
    np.testing.assert_allclose(
        projector(cleaning), np.eye(N) - X @ scipy.linalg.pinv(X), atol=1e-9
    )


def test_butterworth_refuses_gaps_in_the_steady_state():
    marks = np.zeros(N)
    marks[10] = 1.0
    table = with_columns(make_table(MOTION), non_steady_state_outlier00=marks)
    setting = Denoising(strategy="6motion", highpass_hz=0.01, filter="butterworth")
    with pytest.raises(SignalsError, match="works on series without a gap"):
        make_cleaning(setting, table, n_volumes=N, t_r=T_R)


def test_absurd_confounds_are_refused():
    table = make_table(MOTION)
    table.values[4, 0] = 1e300
    with pytest.raises(SignalsError, match="absurd") as caught:
        make_cleaning(Denoising(strategy="6motion"), table, n_volumes=N, t_r=T_R)
    assert caught.value.problems[0].found == "rows 5"
