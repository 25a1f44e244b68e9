"""What each measure is, in a sentence for the methods text."""

__all__ = ["measure_sentence"]

_FISHER = "10.1093/biomet/10.4.507"
_SUMMARIES = {
    "edges": "one value per pair",
    "nodes": "averaged for each region over its pairs",
    "global": "averaged over all pairs",
}


def measure_sentence(kind: str, source: str, target: str, summary: str) -> str:
    """Say what a measure is.

    Parameters
    ----------
    kind : {"seed_to_voxel", "seed_to_parcel", "roi_to_roi"}
    source : str
        The seed, or the regions among which correlations are taken.
    target : str
        What the seed is correlated with; not read for ``roi_to_roi``.
    summary : str
        ``edges``, ``nodes`` or ``global``; read for ``roi_to_roi`` only.

    Returns
    -------
    str
        With citations as ``[doi:...]``.
    """
    if kind == "roi_to_roi":
        return (
            f"Fisher z [doi:{_FISHER}] of the correlations of the cleaned series among {source}, "
            f"{_SUMMARIES[summary]}."
        )
    return (
        f"Fisher z [doi:{_FISHER}] of the correlation of the cleaned mean series of {source} with "
        f"that of {target}."
    )
