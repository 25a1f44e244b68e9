"""What each measure is, in a sentence for the methods text."""

from collections.abc import Mapping

__all__ = ["measure_sentence"]

_SUMMARIES = {
    "edges": "one value per pair",
    "nodes": "averaged for each region over its pairs",
    "global": "averaged over all pairs",
}
_SEED = (
    "Fisher z [doi:10.1093/biomet/10.4.507] of the correlation of the cleaned mean series of "
    "{source} with that of {target}."
)
_WITHIN = (
    " Only within the blocks of {condition}: the run was cleaned as a whole, then every volume "
    "was weighted by the blocks convolved with the canonical haemodynamic response, negative "
    "values set to 0 [doi:10.1089/brain.2012.0073]{summed}."
)
_SENTENCES = {
    "seed_to_voxel": _SEED,
    "seed_to_parcel": _SEED,
    "roi_to_roi": (
        "Fisher z [doi:10.1093/biomet/10.4.507] of the correlations of the cleaned series among "
        "{source}, {summary}."
    ),
    "infusion": (
        "response of {target} to the infusion (model: {source}), in percent of the mean signal, "
        "from a linear model with {noise} and no high-pass filter; the same model was fitted to "
        "every session [doi:10.1007/s00213-005-2270-y]."
    ),
    "task": (
        "contrast {contrast} in {target}, in percent of the mean signal, from a linear model with "
        "the canonical haemodynamic response [doi:10.1006/nimg.1997.0306] and {noise}."
    ),
    "ppi": (
        "generalised psychophysiological interaction [doi:10.1016/j.neuroimage.2012.03.068] of "
        "{source} with {target}, contrast {contrast} of the interactions of all conditions, from "
        "a linear model with {noise}."
    ),
    "beta_series": (
        "Fisher z of the correlation of {source} with {target} over the responses to single "
        "trials [doi:10.1016/j.neuroimage.2011.08.076], contrast {contrast}."
    ),
    "alff": "amplitude of the slow fluctuations of {target} in the band of the protocol.",
    "falff": (
        "amplitude of the slow fluctuations of {target} in the band of the protocol, as a "
        "fraction of that of all frequencies."
    ),
    "reho": "Kendall's W of every voxel's series with those of its neighbours.",
    "global_connectivity": "mean correlation of {target} with all others.",
    "degree_centrality": (
        "fraction of all possible connections of {target} whose correlation exceeds the "
        "protocol's threshold."
    ),
    "dual_regression": (
        "map of network {source} from dual regression on the maps of all networks, one linear "
        "model in space, then one in time."
    ),
    "receptor_maps": (
        "connectivity that goes with the density of {source}, from dual regression on the "
        "receptor maps of {summary} [doi:10.1016/j.neuroimage.2019.04.007]."
    ),
    "exposure_connectivity": (
        "slope of the connectivity of {source} with {target} in sliding windows on the drug's "
        "concentration, by generalised least squares for overlapping windows."
    ),
}


def measure_sentence(kind: str, values: Mapping[str, str]) -> str:
    """Say what a measure is.

    Parameters
    ----------
    kind : str
        Of the protocol's measure.
    values : mapping of str to str
        What stands for ``source`` (seed, regions, network, model), ``target``, ``summary`` (of
        ``roi_to_roi``: ``edges``, ``nodes`` or ``global``), ``contrast`` and ``noise``, where
        the kind has them; ``condition`` and, for several, ``sum`` (their weights in words) where
        a correlation is one within blocks.

    Returns
    -------
    str
        With citations as ``[doi:...]``.
    """
    known = dict(values)
    if kind == "roi_to_roi":
        known["summary"] = _SUMMARIES[values["summary"]]
    sentence = _SENTENCES[kind].format_map(known)
    if "condition" not in known:
        return sentence
    summed = f", and the outcome is the sum {known['sum']} of their z" if "sum" in known else ""
    return sentence + _WITHIN.format(condition=known["condition"], summed=summed)
