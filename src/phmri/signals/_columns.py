"""Find the columns of a strategy in a confound table, whatever the fMRIPrep version named them.

Backward differences and squares that a table lacks are computed from their base column:
``x'[t] = x[t] - x[t-1]`` with ``x'[0] = 0``. A missing value is accepted only where nothing can
stand: in the first row of a difference.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
from jaxtyping import Bool, Float

from phmri.dataset import Confounds
from phmri.exceptions import Problem, SignalsError
from phmri.signals._strategies import Strategy

__all__ = ["Columns", "find_column", "find_columns", "find_numbered"]

_OLD_NAMES = {
    "trans_x": "X",
    "trans_y": "Y",
    "trans_z": "Z",
    "rot_x": "RotX",
    "rot_y": "RotY",
    "rot_z": "RotZ",
    "white_matter": "WhiteMatter",
    "csf": "CSF",
    "global_signal": "GlobalSignal",
    "framewise_displacement": "FramewiseDisplacement",
    "std_dvars": "stdDVARS",
}
_NUMBERED = {
    "a_comp_cor": r"a_comp_cor_?\d+|aCompCor\d+",
    "w_comp_cor": r"w_comp_cor_?\d+",
    "c_comp_cor": r"c_comp_cor_?\d+",
    "aroma_motion": r"aroma_motion_?\d+|AROMAAggrComp\d+",
    "cosine": r"cosine_?\d+|Cosine\d+",
    "non_steady_state_outlier": r"non_steady_state_outlier_?\d+|NonSteadyStateOutlier\d+",
}
_LARGEST = 1e12  # a square of motion or of a signal stays far below
_DIFFERENCE = re.compile(r"_derivative1(_power2)?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """Columns that a strategy takes from a table.

    Parameters
    ----------
    names : tuple of str
        As in the table, or as fMRIPrep would have called a computed one.
    values : ndarray of shape (n_volumes, n_columns)
        In the table's units.
    computed : tuple of str
        Those that the table lacks.
    """

    names: tuple[str, ...]
    values: Float[np.ndarray, "n_volumes n_columns"]
    computed: tuple[str, ...]


def find_column(confounds: Confounds, name: str) -> Float[np.ndarray, " n_volumes"] | None:
    """Give a column by its present or its old name.

    Parameters
    ----------
    confounds : Confounds
        The table.
    name : str
        Present name.

    Returns
    -------
    ndarray of shape (n_volumes,) or None
        None when the table has it under neither name.
    """
    for candidate in (name, _OLD_NAMES.get(name)):
        if candidate in confounds.names:
            return confounds.values[:, confounds.names.index(candidate)]
    return None


def find_numbered(confounds: Confounds, kind: str) -> tuple[str, ...]:
    """Give the names of all columns of a numbered family, in numerical order.

    Parameters
    ----------
    confounds : Confounds
        The table.
    kind : str
        Family, e.g. ``a_comp_cor``.

    Returns
    -------
    tuple of str
        Names as in the table.
    """
    pattern = re.compile(_NUMBERED[kind])
    found = [name for name in confounds.names if pattern.fullmatch(name)]
    return tuple(sorted(found, key=lambda name: int(re.findall(r"\d+$", name)[0])))


def _computed(confounds: Confounds, name: str) -> Float[np.ndarray, " n_volumes"] | None:
    """Compute a difference or square that the table lacks; None without its base column."""
    base = re.sub(r"(_derivative1)?(_power2)?$", "", name)
    column = None if base == name else find_column(confounds, base)
    if column is None:
        return None
    if "_derivative1" in name:
        column = np.diff(column, prepend=column[:1])
    return column**2 if name.endswith("_power2") else column


def _acompcor_names(confounds: Confounds, n_compcor: int) -> tuple[list[str], list[str]]:
    """Choose aCompCor columns: names found, and what is missing in words."""
    combined = find_numbered(confounds, "a_comp_cor")
    mask = {name: confounds.metadata.get(name, {}).get("Mask") for name in combined}
    tissues = {
        "WM": [n for n in combined if mask[n] == "WM"] or find_numbered(confounds, "w_comp_cor"),
        "CSF": [n for n in combined if mask[n] == "CSF"] or find_numbered(confounds, "c_comp_cor"),
    }
    if not any(tissues.values()):
        tissues = {"combined": [n for n in combined if mask[n] in {None, "combined"}]}
    missing = [
        f"{n_compcor} aCompCor components of the {tissue} mask (the table holds {len(names)})"
        for tissue, names in tissues.items()
        if len(names) < n_compcor
    ]
    chosen = [name for names in tissues.values() for name in names[:n_compcor]]
    return [*chosen, *find_numbered(confounds, "cosine")], missing


def _component_names(
    strategy: Strategy, confounds: Confounds, n_compcor: int
) -> tuple[list[str], list[str]]:
    if strategy.components == "acompcor":
        return _acompcor_names(confounds, n_compcor)
    if strategy.components == "aroma":
        names = find_numbered(confounds, "aroma_motion")
        return list(names), [] if names else ["aroma_motion_XX (any number)"]
    return [], []


def find_columns(
    strategy: Strategy,
    confounds: Confounds,
    *,
    n_compcor: int,
    kept: Bool[np.ndarray, " n_volumes"],
) -> Columns:
    """Collect the columns of a strategy from a table.

    Parameters
    ----------
    strategy : Strategy
        What to look for.
    confounds : Confounds
        Where.
    n_compcor : int
        aCompCor components per mask.
    kept : ndarray of shape (n_volumes,)
        Volumes in which values must be finite.

    Returns
    -------
    Columns
        Finite in every kept volume.

    Raises
    ------
    SignalsError
        Columns are missing, or hold missing values: all of them at once.
    """
    extra, missing = _component_names(strategy, confounds, n_compcor)
    names: list[str] = []
    columns: list[Float[np.ndarray, " n_volumes"]] = []
    computed: list[str] = []
    for name in (*strategy.columns, *extra):
        column = find_column(confounds, name)
        if column is None:
            column = _computed(confounds, name)
            computed += [name] if column is not None else []
        if column is None:
            missing.append(name)
            continue
        names.append(name)
        columns.append(_without_first_gap(name, column))
    if missing:
        raise SignalsError(*_missing_problems(strategy, confounds, missing))
    values = np.column_stack(columns) if columns else np.empty((kept.size, 0))
    _refuse_gaps(confounds, names, values, kept)
    return Columns(names=tuple(names), values=values, computed=tuple(computed))


def _without_first_gap(
    name: str, column: Float[np.ndarray, " n_volumes"]
) -> Float[np.ndarray, " n_volumes"]:
    """Put 0 for the missing first value of a difference."""
    if _DIFFERENCE.search(name) and column.size and np.isnan(column[0]):
        column = column.copy()
        column[0] = 0.0
    return column


def _missing_problems(
    strategy: Strategy, confounds: Confounds, missing: Sequence[str]
) -> list[Problem]:
    problems = []
    for name in missing:
        base = re.sub(r"(_derivative1)?(_power2)?$", "", name.split(" ")[0])
        similar = get_close_matches(base, confounds.names, n=3, cutoff=0.6)
        problems.append(
            Problem(
                what=f"strategy {strategy.name!r} needs a column that the confound table lacks",
                file=confounds.path,
                field=name,
                found="similar columns " + ", ".join(similar) if similar else "no similar column",
                expected=f"{name} or the older name {_OLD_NAMES[name]}"
                if name in _OLD_NAMES
                else name,
            )
        )
    return problems


def _refuse_gaps(
    confounds: Confounds,
    names: Sequence[str],
    values: Float[np.ndarray, "n_volumes n_columns"],
    kept: Bool[np.ndarray, " n_volumes"],
) -> None:
    bad = ~(np.abs(values) < _LARGEST) & kept[:, None]
    problems = [
        Problem(
            what="a confound column has missing, infinite or absurd values",
            file=confounds.path,
            field=name,
            found="rows " + ", ".join(str(row + 1) for row in np.flatnonzero(bad[:, i])[:5]),
            expected="numbers (only the first row of a difference may be n/a)",
        )
        for i, name in enumerate(names)
        if bad[:, i].any()
    ]
    if problems:
        raise SignalsError(*problems)
