"""Treatments by their labels, where sentences name an arm or treatment by its key."""

import re
from dataclasses import replace

from phmri.inference import Claim
from phmri.protocol import Parallel, Protocol

__all__ = ["say_treatments", "treatment_words"]


def treatment_words(protocol: Protocol, text: str) -> str:
    """Call arms and treatments by their labels in a sentence.

    Parameters
    ----------
    protocol : Protocol
    text : str

    Returns
    -------
    str
        Keys with an underscore, which no other word has, are replaced by the label, or by their
        words where there is none; keys that read as they are stay.
    """
    design = protocol.design
    treatment_of = {name: name for name in protocol.treatments}
    if isinstance(design, Parallel):
        treatment_of |= {arm: own.treatment for arm, own in design.arms.items()}
    for name, treatment in treatment_of.items():
        if "_" in name:
            label = protocol.treatments[treatment].label or name.replace("_", " ")
            text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", label.replace("\\", r"\\"), text)
    return text


def say_treatments(protocol: Protocol, claim: Claim) -> Claim:
    """Call arms and treatments by their labels in all sentences of a claim.

    Parameters
    ----------
    protocol : Protocol
    claim : Claim

    Returns
    -------
    Claim
    """
    return replace(
        claim,
        sentence=treatment_words(protocol, claim.sentence),
        shuffled=treatment_words(protocol, claim.shuffled),
        null=treatment_words(protocol, claim.null),
        notes=tuple(treatment_words(protocol, note) for note in claim.notes),
        sentences=tuple(treatment_words(protocol, said) for said in claim.sentences),
    )
