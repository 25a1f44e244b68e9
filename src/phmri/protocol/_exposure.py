"""Exposure: how much of a drug there is, and when."""

from typing import Annotated, Literal

from pydantic import Field

from phmri.protocol._base import Name, Record

__all__ = ["Compartments", "Exposure"]

Positive = Annotated[float, Field(gt=0)]


class Compartments(Record):
    """A drug model of one's own: a central volume and up to three peripheral ones."""

    volumes_l: tuple[Positive, ...] = Field(min_length=1, max_length=4)
    """Central volume first; litres for ``reference_weight_kg``."""
    clearances_l_per_h: tuple[Positive, ...] = Field(min_length=1, max_length=4)
    """Elimination first, then the exchange with each peripheral volume."""
    site: Literal["arterial", "venous"]
    """Where the blood was drawn that the model was fitted to."""
    reference_weight_kg: Positive = 70.0
    volume_exponent: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Volumes go with (weight / reference) to this power."""
    clearance_exponent: Annotated[float, Field(ge=0, le=2)] = 1.0
    absorption_per_h: Positive | None = None
    """First-order absorption of oral doses."""
    bioavailability: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Of oral doses."""
    lag_min: Annotated[float, Field(ge=0)] = 0.0
    """Before absorption begins."""
    notes: str | None = None


class Exposure(Record):
    """A concentration curve: whose doses, by which model."""

    treatment: Name
    """The treatment whose doses make the curve. Sessions of other treatments (placebo) get the
    same curve, so that one model is fitted everywhere."""
    drug: Name
    model: Name
    """A built-in model (``domino``, ``clements``, ``kamp``, ``simons``,
    ``fanta_otto``, ``perez_ruixo``, ``hussein``) or
    one of ``compartments``."""
    analyte: Name | None = None
    """A metabolite of the model; the parent drug when left out."""
    ke0_per_min: Positive | None = None
    """Rate between plasma and effect site. No measured value is known for ketamine: a choice of
    yours, to be varied."""
    weight_column: str = "weight_kg"
    """Column of ``participants.tsv``; needed for doses per kg and models that scale."""
    samples: str | None = None
    """Measured concentrations, ``phenotype/<samples>.tsv`` (participant_id, session_id, time_min,
    concentration_ng_ml): each participant's curve is then fitted to them, with the model's
    between-subject variability as prior."""
    sample_error: Annotated[float, Field(gt=0, lt=2)] = 0.2
    """Proportional standard deviation of a measured concentration around the model."""
