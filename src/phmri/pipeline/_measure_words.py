"""How measures are called in claims, and what they are in the methods text."""

from collections.abc import Mapping

from phmri.firstlevel import measure_sentence
from phmri.pipeline._by_tissue import by_tissue
from phmri.protocol import (
    BetaSeries,
    DualRegression,
    ExposureConnectivity,
    Infusion,
    Measure,
    Ppi,
    Protocol,
    Question,
    ReceptorMaps,
    RoiToRoi,
    SeedToParcel,
    SeedToVoxel,
    Task,
)

__all__ = ["describe_measure", "name_outcome", "name_score", "question_unit", "unit_of"]

_OUTCOMES = {
    "seed_to_voxel": "connectivity of {seed}{partner}{during}",
    "seed_to_parcel": "connectivity of {seed}{partner}{during}",
    "roi_to_roi": "{target}connectivity {among}{during}",
    "infusion": "response to the {given}{inside}",
    "task": "signal change for {by}{inside}",
    "ppi": "task-dependent connectivity of {seed}{partner}, {by}",
    "beta_series": "beta-series connectivity of {seed}{partner}, {by}",
    "alff": "amplitude of low-frequency fluctuations{inside}",
    "falff": "fractional amplitude of low-frequency fluctuations{inside}",
    "reho": "regional homogeneity{inside}",
    "global_connectivity": "global connectivity{inside}",
    "degree_centrality": "degree centrality{inside}",
    "dual_regression": "connectivity of network {network}{partner}",
    "receptor_maps": "{receptor}-related connectivity{inside}",
    "exposure_connectivity": "change with exposure of the connectivity of {seed}{partner}",
}
_UNITS = {
    "seed_to_voxel": "Fisher z",
    "seed_to_parcel": "Fisher z",
    "roi_to_roi": "Fisher z",
    "infusion": "% signal change",
    "task": "% signal change",
    "ppi": "% per % of the seed",
    "beta_series": "Fisher z",
    "alff": "% signal change / sqrt(Hz)",
    "falff": "fraction of amplitude",
    "reho": "Kendall's W",
    "global_connectivity": "mean Pearson r",
    "degree_centrality": "fraction of possible connections",
    "dual_regression": "% signal change per SD of the network",
    "receptor_maps": "% signal change per SD of the network",
    "exposure_connectivity": "Fisher z per unit of exposure",
}
_UNITS_OF_MAPS = {
    "F": "F",
    "t": "t",
    "driftslope": "% per min",
    "timetopeak": "min",
    "duration": "min",
    "onset": "min",
    "zscored": "SD over the brain",
    "weighted": "mean r above the threshold",
    "baseline": "Fisher z",
}
_AMONG = {"edges": "between regions", "nodes": "of regions", "global": "over all regions"}


def name_outcome(measure: Measure, question: Question) -> str:
    """Call the outcome of a question, as it reads inside a sentence.

    Parameters
    ----------
    measure : Measure
        That the question asks of.
    question : Question

    Returns
    -------
    str
        E.g. ``connectivity of pgacc with dmpfc``.
    """
    where = question.where
    target = where.mean_of or where.at or where.within
    words = _outcome(measure, target)
    further = [item for item in (question.map, question.denoising) if item is not None]
    return f"{words} ({', '.join(further)})" if further else words


def name_score(protocol: Protocol, question: Question) -> str:
    """Call the score of a scale, as it reads inside a sentence.

    Parameters
    ----------
    protocol : Protocol
    question : Question
        Of a scale.

    Returns
    -------
    str
        E.g. ``CADSS score (amnesia, session infusion)``.
    """
    scale = protocol.scales[question.measure]
    session = None if question.session is None else f"session {question.session}"
    further = [item for item in (question.map, session) if item is not None]
    words = f"{scale.label or question.measure} score"
    return f"{words} ({', '.join(further)})" if further else words


def question_unit(protocol: Protocol, question: Question) -> str:
    """Give the unit of a question's outcome, of a measure or of a scale.

    Parameters
    ----------
    protocol : Protocol
    question : Question

    Returns
    -------
    str
    """
    if question.measure in protocol.scales:
        return "points"
    return unit_of(protocol.measures[question.measure], question)


def _outcome(measure: Measure, target: str | None) -> str:
    values = measure.model_dump()
    return _OUTCOMES[measure.kind].format_map(
        {
            **values,
            "target": f"{target} " if target else "",
            "inside": f" in {target}" if target else "",
            "partner": f" with {target}" if target else "",
            "among": _AMONG.get(values.get("summary", "")),
            "by": weights_in_words(values.get("contrast", {})),
            "during": _during(measure),
            "given": _given(measure),
        }
    )


def _during(measure: Measure) -> str:
    conditions = measure.blocks_of
    if conditions is None:
        return ""
    words = weights_in_words(conditions)
    return f" during {words}" if words in conditions else f" by condition, {words}"


def _given(measure: Measure) -> str:
    """Tell responses apart that are modelled by other curves than bins."""
    if not isinstance(measure, Infusion) or measure.response.model == "pseudoblock":
        return "infusion"
    if measure.response.model == "exposure":
        return f"exposure {measure.response.exposure}"
    return f"infusion as a {measure.response.model.replace('_', ' ')}"


def unit_of(measure: Measure, question: Question) -> str:
    """Give the unit of a question's outcome.

    Parameters
    ----------
    measure : Measure
        That the question asks of.
    question : Question

    Returns
    -------
    str
    """
    if question.map in _UNITS_OF_MAPS:
        return _UNITS_OF_MAPS[question.map]
    if measure.kind == "global_connectivity" and not measure.is_map:
        return "mean Fisher z"
    return _UNITS[measure.kind]


def weights_in_words(weights: Mapping[str, float]) -> str:
    """Write a contrast as a sum.

    Parameters
    ----------
    weights : mapping of str to float

    Returns
    -------
    str

    Examples
    --------
    >>> weights_in_words({"two_back": 1, "zero_back": -1})
    'two_back − zero_back'
    """
    text = ""
    for name, weight in weights.items():
        if weight == 0:
            continue
        sign = ("− " if weight < 0 else "+ ") if text else ("−" if weight < 0 else "")
        size = "" if abs(weight) == 1 else f"{abs(weight):g} "
        text += f"{' ' if text else ''}{sign}{size}{name}"
    return text


def describe_measure(measure: Measure) -> str:
    """Say in a sentence or two what a measure is.

    Parameters
    ----------
    measure : Measure

    Returns
    -------
    str
        Citations as ``[doi:...]``.
    """
    match measure:
        case RoiToRoi():
            among = ", ".join(measure.regions or ()) or f"all parcels of {measure.parcels}"
            values = {"source": among, "summary": measure.summary}
        case SeedToVoxel() | SeedToParcel() | Ppi() | BetaSeries() | ExposureConnectivity():
            values = {"source": measure.seed}
        case DualRegression():
            values = {"source": str(measure.network)}
        case ReceptorMaps():
            values = {"source": measure.receptor, "summary": ", ".join(measure.maps)}
        case _:
            values = {}
    values["target"] = (
        "every voxel" if measure.is_map else f"every parcel of {measure.parcellation}"
    )
    if isinstance(measure, Task | Ppi | BetaSeries):
        values["contrast"] = weights_in_words(measure.contrast)
    if measure.blocks_of is not None:
        used = [name for name, weight in measure.blocks_of.items() if weight != 0]
        values["condition"] = " and of ".join(used)
        if (words := weights_in_words(measure.blocks_of)) not in used:
            values["sum"] = words
    if isinstance(measure, Infusion):
        values["source"] = measure.response.model.replace("_", " ")
    noise = getattr(measure, "noise", None)
    if noise is not None:
        kind = {"white": "white", "ar": f"AR({noise.order})", "arma11": "ARMA(1,1)"}[noise.kind]
        values["noise"] = f"{kind} noise" + (" of each tissue" if by_tissue(measure) else "")
    return measure_sentence(measure.kind, values)
