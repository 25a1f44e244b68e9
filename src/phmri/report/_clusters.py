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
_LISTED_OF_NULL, _CHANCE = 10, 0.5
"""Of a question in which nothing was found: how many, and below which p."""
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


def _choose(claim: Claim) -> tuple[Cluster, ...]:
    """Give the clusters to be listed; of a null result those that chance alone seldom gives."""
    if claim.verdict == "found":
        return claim.clusters[:_LISTED]
    unlikely = [cluster for cluster in claim.clusters if _least_pvalue(cluster, claim) < _CHANCE]
    return tuple(unlikely[:_LISTED_OF_NULL]) or claim.clusters[:1]


def _least_pvalue(cluster: Cluster, claim: Claim) -> float:
    field = verdict_pvalue(claim)
    values = [getattr(cluster, name) for name in ([field] if field else _PVALUES)]
    return min((value for value in values if value is not None), default=1.0)


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
        None when there are no clusters. What no cluster has is left out.
    """
    if not claim.clusters:
        return None
    listed = _choose(claim)
    columns = _columns(claim, listed)
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
        cut=f"{plural(n_more, f'further {noun}')}, of less mass or larger p: see {file}."
        if n_more
        else "",
    )


def _passes(pvalue: float | None, claim: Claim) -> bool:
    return pvalue is not None and bool(passes(pvalue, claim))


def _columns(claim: Claim, clusters: tuple[Cluster, ...]) -> dict[str, _Cells]:
    """Lay out clusters in few columns of several lines each, so that they fit a narrow page."""
    edges = claim.outcome == "edges"
    columns: dict[str, _Cells] = {
        "No.": [(f"{cluster.number}", _SIGNS[cluster.sign]) for cluster in clusters],
        "Strongest edge" if edges else "Place": [_place(cluster) for cluster in clusters],
        "Size": [_size(cluster, "edge" if edges else "voxel") for cluster in clusters],
    }
    pvalues = _pvalue_lines(clusters)
    if any(pvalues):
        columns["p"] = pvalues
    columns["True, at least"] = [(f"{cluster.true_discoveries:,}",) for cluster in clusters]
    peaks = [cluster.strongest for cluster in clusters]
    if any(peaks):
        columns["Strongest†"] = [_at_peak(peak, claim) for peak in peaks]
    return columns


def _place(cluster: Cluster) -> tuple[str, ...]:
    centre = (f"centre {_position(cluster.centre_mm)} mm",) if cluster.centre_mm else ()
    return (cluster.label or "–", *centre)


def _size(cluster: Cluster, noun: str) -> tuple[str, ...]:
    volume = () if cluster.volume_mm3 is None else (f"{cluster.volume_mm3:,.0f} mm³",)
    return (plural(cluster.n_outcomes, noun), *volume, f"mass {cluster.mass:,.1f}")


def _pvalue_lines(clusters: tuple[Cluster, ...]) -> _Cells:
    """Write the p-values of each cluster, one per line; those that none has are left out."""
    made = {
        field: head
        for field, head in _PVALUES.items()
        if any(getattr(cluster, field) is not None for cluster in clusters)
    }
    return [
        tuple(f"{head} {_shown(getattr(cluster, field))}" for field, head in made.items())
        for cluster in clusters
    ]


def _shown(pvalue: float | None) -> str:
    return "–" if pvalue is None else format_pvalue(pvalue)


def _position(place: tuple[float, float, float]) -> str:
    return ", ".join(format_number(value, 0) for value in place)


def _at_peak(peak: Peak | None, claim: Claim) -> tuple[str, ...]:
    if peak is None:
        return ("–",)
    low, high = format_effect(peak.ci_low, peak), format_effect(peak.ci_high, peak)
    place = (f"{_position(peak.position_mm)} mm",) if peak.position_mm else ()
    return (
        *place,
        f"{statistic_symbol(claim)} = {format_number(peak.t)}",
        f"{format_effect(peak.effect, peak)}†",
        f"[{low}, {high}]",
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
