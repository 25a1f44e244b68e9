"""The clusters of a question as a table."""

from dataclasses import dataclass

from phmri.inference import Claim, Cluster, Peak
from phmri.protocol import Protocol
from phmri.report._correction import (
    cluster_word,
    passes,
    pvalue_word,
    statistic_symbol,
    verdict_pvalue,
)
from phmri.report._made import forming_words
from phmri.report._text import format_effect, format_number, format_pvalue, plural

__all__ = ["ClusterRow", "ClusterTable", "make_cluster_table"]

_LISTED = 20
_BOUND = "[doi:10.1016/j.neuroimage.2018.07.060, doi:10.1093/biomet/asz041]"
_SIGNS = {1: "↑ higher", -1: "↓ lower"}
_PVALUES = {
    "pvalue_mass": "p mass",
    "pvalue_extent": "p extent",
    "pvalue_tfce": "p TFCE",
    "pvalue_random_field": "p random field",
    "qvalue_topological": "q topological",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterRow:
    """One cluster as it is printed.

    Parameters
    ----------
    cells : tuple of (str, ...)
        Lines of every cell, one cell per column.
    passes : bool
        Its p, that the verdict rests on, is at most alpha.
    """

    cells: tuple[tuple[str, ...], ...]
    passes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterTable:
    """The clusters of a question as they are printed.

    Parameters
    ----------
    title, caption : str
        The caption with citations as ``[doi:...]``.
    head : tuple of str
        Column heads; the first two columns are text, the others numbers.
    rows : tuple of ClusterRow
    cut : str
        What is not listed, and where it is; empty when all is.
    """

    title: str
    caption: str
    head: tuple[str, ...]
    rows: tuple[ClusterRow, ...]
    cut: str


_Cells = list[tuple[str, ...]]


def make_cluster_table(protocol: Protocol, claim: Claim) -> ClusterTable | None:
    """Turn the clusters of a claim into text.

    Parameters
    ----------
    protocol : Protocol
        Whose settings say how clusters were formed.
    claim : Claim

    Returns
    -------
    ClusterTable or None
        None when there are no clusters. Columns that no cluster fills are left out.
    """
    if not claim.clusters:
        return None
    listed = claim.clusters[:_LISTED]
    columns = (
        _first_columns(claim, listed) | _pvalue_columns(listed) | _place_columns(claim, listed)
    )
    field = verdict_pvalue(claim)
    bold = [field is not None and _passes(getattr(c, field), claim) for c in listed]
    noun = cluster_word(claim)
    n_more = len(claim.clusters) - len(listed)
    file = f"question-{claim.question.replace('_', '')}_clusters.tsv"
    return ClusterTable(
        title=f"{noun.capitalize()}s of {claim.question}.",
        caption=_caption(protocol, claim, noun),
        head=tuple(columns),
        rows=tuple(
            ClusterRow(cells=cells, passes=passing)
            for cells, passing in zip(zip(*columns.values(), strict=True), bold, strict=True)
        ),
        cut=f"{plural(n_more, f'further {noun}')} of less mass: see {file}." if n_more else "",
    )


def _passes(pvalue: float | None, claim: Claim) -> bool:
    return pvalue is not None and bool(passes(pvalue, claim))


def _first_columns(claim: Claim, clusters: tuple[Cluster, ...]) -> dict[str, _Cells]:
    edges = claim.outcome == "edges"
    sizes: _Cells = [(f"{cluster.n_outcomes:,}",) for cluster in clusters]
    head = "Edges" if edges else "Voxels"
    if not edges and clusters[0].volume_mm3 is not None:
        head = "Voxels, mm³"
        sizes = [
            (*size, f"{cluster.volume_mm3 or 0:,.0f} mm³")
            for size, cluster in zip(sizes, clusters, strict=True)
        ]
    return {
        "No.": [(f"{cluster.number}", _SIGNS[cluster.sign]) for cluster in clusters],
        "Strongest edge" if edges else "Label": [(c.label or "–",) for c in clusters],
        head: sizes,
        "Mass": [(f"{cluster.mass:,.1f}",) for cluster in clusters],
    }


def _pvalue_columns(clusters: tuple[Cluster, ...]) -> dict[str, _Cells]:
    found = {
        head: [getattr(cluster, field) for cluster in clusters] for field, head in _PVALUES.items()
    }
    return {
        head: [("–" if value is None else format_pvalue(value),) for value in values]
        for head, values in found.items()
        if any(value is not None for value in values)
    }


def _place_columns(claim: Claim, clusters: tuple[Cluster, ...]) -> dict[str, _Cells]:
    """Give true discoveries, centre, and the strongest outcome."""
    columns: dict[str, _Cells] = {
        "True, at least": [(f"{cluster.true_discoveries:,}",) for cluster in clusters]
    }
    if any(cluster.centre_mm for cluster in clusters):
        columns["Centre (mm)"] = [(_position(cluster.centre_mm),) for cluster in clusters]
    peaks = [cluster.strongest for cluster in clusters]
    if any(peaks):
        columns["Strongest†"] = [_at_peak(peak, claim) for peak in peaks]
    return columns


def _position(place: tuple[float, float, float] | None) -> str:
    return ", ".join(format_number(value, 0) for value in place) if place else "–"


def _at_peak(peak: Peak | None, claim: Claim) -> tuple[str, ...]:
    if peak is None:
        return ("–",)
    low, high = format_effect(peak.ci_low, peak), format_effect(peak.ci_high, peak)
    place = (f"({_position(peak.position_mm)}) mm",) if peak.position_mm else ()
    return (
        *place,
        f"{statistic_symbol(claim)} = {format_number(peak.t)}",
        f"{format_effect(peak.effect, peak)}† [{low}, {high}]",
    )


def _caption(protocol: Protocol, claim: Claim, noun: str) -> str:
    single = "edge" if claim.outcome == "edges" else "voxel"
    said = [f"Connected {single}s of one sign {forming_words(protocol, claim)}."]
    if any(c.pvalue_mass or c.pvalue_extent or c.pvalue_random_field for c in claim.clusters):
        said.append(
            f"The p of a {noun} says that something in it differs, not that every part of it does."
        )
    field = verdict_pvalue(claim)
    if field is not None:
        said.append(f"Bold: {_PVALUES[field]} at most {claim.alpha:g}.")
    else:
        said.append(f"The answer rests on {pvalue_word(claim)} of each {single}.")
    said.append(
        f"True, at least: so many of the {single}s differ, in all {noun}s at once with "
        f"{100 * (1 - claim.alpha):g} % confidence, positive dependence assumed {_BOUND}."
    )
    if any(cluster.strongest for cluster in claim.clusters):
        said.append(
            f"† At its strongest {single}, {claim.unit} with {100 * claim.confidence:g} % "
            "interval: chosen for its height, hence biased away from zero."
        )
    return " ".join(said)
