"""Which settings of inference answer a question."""

from phmri.protocol._check_estimator import refitted
from phmri.protocol._inference import USED_BY, Inference
from phmri.protocol._models import Protocol, RoiToRoi
from phmri.protocol._questions import Association, Question

__all__ = ["inference_of"]

SPATIAL = {"method", "cluster_z", "cluster_t", "cluster_p", "min_coverage"}


def inference_of(protocol: Protocol, question: str) -> Inference:
    """Give the settings that answer a question or an association: its own, or the protocol's.

    Parameters
    ----------
    protocol : Protocol
    question : str
        Key in ``protocol.questions`` or ``protocol.associations``.

    Returns
    -------
    Inference
        For one number per participant, which has no neighbours and needs no correction, the
        protocol's settings without what concerns neighbours; with an estimator or errors that
        cannot be shuffled, the method ``holm``, which leaves the p-value of one number as it is.
    """
    asked = protocol.questions.get(question) or protocol.associations[question]
    if asked.inference is not None:
        return asked.inference
    if not _one_number(protocol, asked):
        return protocol.inference
    kept = protocol.inference.model_dump(exclude_unset=True)
    dropped = {name for name in kept if name in SPATIAL or name.startswith("tfce_")}
    dropped |= {"height", "connectivity", "cluster_mass", "fdr"}
    if isinstance(asked, Question) and refitted(asked.model_dump(mode="json")):
        dropped |= {name for name, methods in USED_BY.items() if "holm" not in methods}
        kept = {**kept, "method": "holm"}
        dropped -= {"method"}
    return Inference(**{name: value for name, value in kept.items() if name not in dropped})


def _one_number(protocol: Protocol, asked: Question | Association) -> bool:
    measure = protocol.measures.get(asked.measure)
    if measure is None or asked.where.mean_of is not None or asked.where.at is not None:
        return True
    return isinstance(measure, RoiToRoi) and measure.summary == "global"
