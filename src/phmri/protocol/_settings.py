"""Which settings of inference answer a question."""

from phmri.protocol._inference import Inference
from phmri.protocol._models import Protocol, RoiToRoi

__all__ = ["inference_of"]

SPATIAL = {"method", "cluster_z", "cluster_t", "cluster_p", "min_coverage"}


def inference_of(protocol: Protocol, question: str) -> Inference:
    """Give the settings that answer a question: its own, or the protocol's.

    Parameters
    ----------
    protocol : Protocol
    question : str
        Key in ``protocol.questions``.

    Returns
    -------
    Inference
        For one number per participant, which has no neighbours and needs no correction, the
        protocol's settings without what concerns neighbours.
    """
    asked = protocol.questions[question]
    if asked.inference is not None:
        return asked.inference
    measure = protocol.measures[asked.measure]
    one_number = asked.where.mean_of is not None or asked.where.at is not None
    one_number |= isinstance(measure, RoiToRoi) and measure.summary == "global"
    if not one_number:
        return protocol.inference
    kept = protocol.inference.model_dump(exclude_unset=True)
    spatial = {name for name in kept if name in SPATIAL or name.startswith("tfce_")}
    spatial |= {"height", "connectivity", "cluster_mass", "fdr"} & set(kept)
    return Inference(**{name: value for name, value in kept.items() if name not in spatial})
