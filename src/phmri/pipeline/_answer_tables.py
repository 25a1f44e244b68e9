"""An answer as it was computed, and the maps and tables that are written of it."""

from dataclasses import dataclass, field, fields

import numpy as np
import pandas as pd
from jaxtyping import Float

from phmri.group import Estimate
from phmri.inference import Claim, Cluster, InferenceResult
from phmri.pipeline._loading import LoadedOutcomes, RunKey
from phmri.report import BesideContent

__all__ = [
    "Answer",
    "clusters_table",
    "name_statistics",
    "peaks_table",
    "units_table",
    "values_label",
]


NO_COLUMN = {"centre_mm", "peaks", "strongest"}
"""What of a cluster is no column of its table by itself."""
OF_PLACES = (
    *("x", "y", "z", "peak_x", "peak_y", "peak_z"),
    *("peak_t", "peak_effect", "peak_ci_low", "peak_ci_high"),
)
NOWHERE = (np.nan, np.nan, np.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer as it was computed.

    Parameters
    ----------
    claim : Claim
    outcomes : LoadedOutcomes
    estimate : Estimate
    result : InferenceResult
    run_values : dict of RunKey to float
        The outcome of every run, at the scalar or the strongest peak.
    used : frozenset of RunKey
        Runs that the answer rests on.
    beside : BesideContent
        What is shown beside it.
    values_unit : str
        Of ``run_values``; the claim's own is that of the effect.
    extras : dict of str to ndarray of shape (n_outcomes,)
        Further statistics of the model, by what follows ``stat-`` in the names of files.
    whole : LoadedOutcomes or None
        Outcomes before those were left out that no model could be fitted to.
    status : ndarray of shape (n_whole,) or None
        Of the fit of each of these.
    """

    claim: Claim
    outcomes: LoadedOutcomes
    estimate: Estimate
    result: InferenceResult
    run_values: dict[RunKey, float]
    used: frozenset[RunKey]
    beside: BesideContent
    values_unit: str
    extras: dict[str, Float[np.ndarray, " n_outcomes"]] = field(default_factory=dict)
    whole: LoadedOutcomes | None = None
    status: Float[np.ndarray, " n_whole"] | None = None


def name_statistics(answer: Answer) -> dict[str, Float[np.ndarray, " n_outcomes"]]:
    """Name every map: estimates, then per correction its p-values (q-values for fdr).

    Parameters
    ----------
    answer : Answer

    Returns
    -------
    dict of str to ndarray of shape (n_outcomes,)
        By what follows ``stat-`` in the names of files.
    """
    estimate, result = answer.estimate, answer.result
    maps = {
        "effect": estimate.effect,
        "se": estimate.se,
        result.statistic_name.lower(): result.statistic,
        "d": estimate.d,
        "puncorrected": result.pvalue_uncorrected,
        "pparametric": result.pvalue_parametric,
        "qfdr": result.qvalue_fdr,
    }
    for method, test in result.tests.items():
        label = method.replace("_", "")
        if method in {"tfce", "cluster_mass", "cluster_extent"}:
            maps[label] = test.value
        if method != "fdr":
            maps[f"p{label}"] = test.pvalue
    if not (result.n_per_outcome == result.n_per_outcome[0]).all():
        maps["n"] = result.n_per_outcome.astype(np.float64)
    return maps | answer.extras


def units_table(answer: Answer) -> pd.DataFrame:
    """List the value of every run.

    Parameters
    ----------
    answer : Answer

    Returns
    -------
    DataFrame
        One row per run, by participant and session.
    """
    rows = [
        {
            "participant_id": f"sub-{key[0]}",
            "session": key[1],
            "value": value,
            "used": key in answer.used,
        }
        for key, value in sorted(answer.run_values.items())
    ]
    return pd.DataFrame(rows, columns=["participant_id", "session", "value", "used"])


def peaks_table(claim: Claim) -> pd.DataFrame:
    """List the peaks of a claim.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    DataFrame
        One row per peak, in the order of the claim.
    """
    rows = [
        {
            "name": peak.name,
            **_at(peak.position_mm, ""),
            "t": peak.t,
            "effect": peak.effect,
            "ci_low": peak.ci_low,
            "ci_high": peak.ci_high,
            "d": peak.d,
            "p_uncorrected": peak.pvalue_uncorrected,
            "q_fdr": peak.qvalue_fdr,
            "p_corrected": peak.pvalue_corrected,
        }
        for peak in claim.peaks
    ]
    return pd.DataFrame(rows)


def clusters_table(claim: Claim) -> pd.DataFrame:
    """List the clusters of a claim, each with the statistic and effect of its strongest outcome.

    Parameters
    ----------
    claim : Claim

    Returns
    -------
    DataFrame
        One row per cluster, in the order of the claim; its label names the strongest outcome.
        Positions to 0.01 mm.
    """
    own = [field.name for field in fields(Cluster) if field.name not in NO_COLUMN]
    rows = []
    for cluster in claim.clusters:
        row: dict[str, object] = {name: getattr(cluster, name) for name in own}
        if cluster.volume_mm3 is not None:
            row["volume_mm3"] = round(cluster.volume_mm3, 3)
        row |= _at(cluster.centre_mm, "")
        peak = cluster.strongest
        if peak is not None:
            row |= _at(peak.position_mm, "peak_")
            row |= {"peak_t": peak.t, "peak_effect": peak.effect}
            row |= {"peak_ci_low": peak.ci_low, "peak_ci_high": peak.ci_high}
        rows.append({key: np.nan if value is None else value for key, value in row.items()})
    return pd.DataFrame(rows, columns=[*own, *OF_PLACES])


def _at(position_mm: tuple[float, float, float] | None, prefix: str) -> dict[str, object]:
    names = [f"{prefix}{axis}" for axis in "xyz"]
    # Zero added: no minus zero.
    return dict(zip(names, (round(mm, 2) + 0.0 for mm in position_mm or NOWHERE), strict=True))


def values_label(answer: Answer) -> str:
    """Say what the participants' values are.

    Parameters
    ----------
    answer : Answer

    Returns
    -------
    str
    """
    claim, unit = answer.claim, answer.values_unit
    if claim.outcome == "scalar" or not claim.peaks:
        return f"{', '.join(answer.outcomes.names)} ({unit})"
    peak = claim.peaks[0]
    if peak.position_mm is None:
        return f"{peak.name} ({unit}), the strongest of {claim.n_outcomes:,}, selected"
    position = ", ".join(f"{round(mm)}".replace("-", "−") for mm in peak.position_mm)
    return f"peak voxel at ({position}) mm ({unit}), selected for its height"
