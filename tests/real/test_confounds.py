"""Real fMRIPrep confound tables, old and new column names, under every strategy.

Each loads, or is refused with the missing columns named.
"""

from pathlib import Path

import numpy as np
import pytest

from phmri.dataset import read_confounds
from phmri.exceptions import SignalsError
from phmri.protocol import Denoising
from phmri.signals import list_strategies, make_cleaning

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "data" / "real" / "confounds"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="no ../shared/data/real/confounds")

MOTION = "ds000005_sub-01_task-mixedgamblestask_run-01_desc-motion_timeseries.tsv"
REST = "ds000031_sub-01_ses-002_task-rest_run-001_desc-confounds_timeseries.tsv"
OLD = "nilearn_test_desc-confounds_regressors.tsv"
OLD_STEADY = "nilearn_no_nonsteady_desc-confounds_regressors.tsv"
V21 = "nilearn_test-v21_desc-confounds_timeseries.tsv"
TABLES = (MOTION, REST, OLD, OLD_STEADY, V21)

ALL = {strategy.name for strategy in list_strategies()}
LOADS = {
    MOTION: {"none", "6motion", "24motion"},
    REST: {"none", "6motion", "24motion", "acompcor", "acompcor_gsr"},
    OLD: ALL,
    OLD_STEADY: ALL,
    V21: ALL - {"aroma", "aroma_gsr"},
}
MISSING = {
    (MOTION, "36p"): {"white_matter", "csf", "global_signal"},
    (MOTION, "aroma"): {"white_matter", "csf", "aroma_motion_XX (any number)"},
    (REST, "6motion_wmcsf"): {"csf"},
    (V21, "aroma"): {"aroma_motion_XX (any number)"},
}


def clean_with(table, strategy, **options):
    confounds = read_confounds(FOLDER / table)
    setting = Denoising(strategy=strategy, min_df=3, n_compcor=3, **options)
    return make_cleaning(setting, confounds, n_volumes=confounds.values.shape[0], t_r=2.0)


def test_every_table_is_covered():
    assert {path.name for path in FOLDER.glob("*.tsv")} == set(TABLES)


@pytest.mark.parametrize("strategy", sorted(ALL))
@pytest.mark.parametrize("table", TABLES)
def test_loads_or_names_what_is_missing(table, strategy):
    """Tables of 16 to 40 rows: a refusal for degrees of freedom comes after the columns."""
    problems, df = (), np.inf
    try:
        df = clean_with(table, strategy).df
    except SignalsError as error:
        problems = error.problems
    assert df >= 3
    if strategy in LOADS[table]:
        assert all("degrees of freedom" in problem.what for problem in problems)
        return
    assert problems
    assert all("lacks" in problem.what for problem in problems)
    assert all(problem.file and table in problem.file for problem in problems)
    fields = {problem.field for problem in problems}
    for name in MISSING.get((table, strategy), set()):
        assert any(str(field).startswith(name) for field in fields)


def test_non_steady_state_volumes_of_real_tables():
    assert clean_with(V21, "6motion").n_steady == 3
    assert clean_with(OLD, "6motion").n_steady == 1
    assert clean_with(OLD_STEADY, "6motion").n_steady == 0


def test_components_per_tissue_of_real_sidecars():
    old = [n for n in clean_with(OLD, "acompcor").regressors if "comp_cor" in n]
    metadata = read_confounds(FOLDER / OLD).metadata
    assert [metadata[name]["Mask"] for name in old] == ["WM"] * 3 + ["CSF"] * 3
    new = [n for n in clean_with(V21, "acompcor").regressors if "comp_cor" in n]
    assert [name[:2] for name in new] == ["w_"] * 3 + ["c_"] * 3


def test_too_many_components_are_refused():
    confounds = read_confounds(FOLDER / V21)
    with pytest.raises(SignalsError, match=r"5 aCompCor components of the CSF mask"):
        make_cleaning(Denoising(strategy="acompcor", min_df=3), confounds, n_volumes=30, t_r=2.0)


def test_wrong_number_of_volumes():
    confounds = read_confounds(FOLDER / REST)
    with pytest.raises(SignalsError, match="40 rows"):
        make_cleaning(Denoising(strategy="6motion"), confounds, n_volumes=41, t_r=2.0)
