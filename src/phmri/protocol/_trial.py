"""The trial itself: what is given, to whom, in which order, and what is acquired when."""

from typing import Annotated, Literal

from pydantic import Field

from phmri.protocol._base import Label, Name, Record

__all__ = [
    "Arm",
    "Crossover",
    "Design",
    "Dose",
    "Drug",
    "Parallel",
    "Scale",
    "Scan",
    "Sequence",
    "Session",
    "Treatment",
]


class Drug(Record):
    """A substance that is given."""

    name: str | None = None
    """Full name, as it should read in the report; the key itself when left out."""
    form: str | None = None
    """Racemate, enantiomer, salt, formulation."""
    notes: str | None = None


class Dose(Record):
    """One administration: an amount, or a rate over a duration. Minutes count from time zero."""

    drug: Name
    route: Literal["intravenous", "oral", "intranasal", "intramuscular", "subcutaneous"]
    amount: Annotated[float, Field(gt=0)] | None = None
    """Whole amount given over ``duration_min``; either this or ``rate``."""
    rate: Annotated[float, Field(gt=0)] | None = None
    unit: Literal["mg", "mg/kg", "mg/h", "mg/kg/h"]
    """mg or mg/kg for an amount; mg/h or mg/kg/h for a rate."""
    start_min: float
    """Minutes from time zero (start of the infusion); negative before it."""
    duration_min: Annotated[float, Field(ge=0)] = 0.0
    """0 for a tablet or an instantaneous bolus."""


class Treatment(Record):
    """What a participant receives in one session."""

    label: str | None = None
    """How the report calls it; the key itself when left out."""
    doses: tuple[Dose, ...] = ()
    """Empty for a placebo."""
    notes: str | None = None


class Arm(Record):
    """What a participant of a parallel trial is randomised to."""

    treatment: Name
    n_planned: Annotated[int, Field(gt=0)] | None = None


class Parallel(Record):
    """Each participant receives one treatment."""

    kind: Literal["parallel"]
    arms: dict[Name, Arm] = Field(min_length=2)
    column: str = "arm"
    """Column of ``participants.tsv`` that holds the arm."""
    strata: tuple[str, ...] = ()
    """Columns of ``participants.tsv`` that the randomisation was stratified by."""


class Sequence(Record):
    """An ordered list of treatments in a crossover."""

    treatments: tuple[Name, ...] = Field(min_length=2)
    """One per period, in order."""
    n_planned: Annotated[int, Field(gt=0)] | None = None
    experiment: str | None = None
    """Set when one protocol holds several crossover experiments with different people."""


class Crossover(Record):
    """Each participant receives several treatments, one per period."""

    kind: Literal["crossover"]
    sequences: dict[Name, Sequence] = Field(min_length=1)
    order: Literal["recorded", "unknown"] = "recorded"
    """``unknown`` when the data no longer say who had which sequence: sessions are then named by
    their treatment, the answer is a paired one and says that the period effect stays in it."""
    column: str = "sequence"
    """Column of ``participants.tsv`` that holds the sequence (``order: recorded``)."""
    strata: tuple[str, ...] = ()
    washout_days: Annotated[float, Field(gt=0)] | None = None


Design = Annotated[Parallel | Crossover, Field(discriminator="kind")]


class Session(Record):
    """A visit (BIDS ``ses-``). The key in ``sessions`` is the BIDS label."""

    phase: Literal["baseline", "acute", "sustained"]
    period: Annotated[int, Field(ge=1)] | None = None
    """Crossover with recorded order: which period this session is, counted from 1."""
    treatment: Name | None = None
    """Crossover of unknown order: the treatment that this session's label stands for."""
    hours_after: float | None = None
    """Hours from time zero to the visit, for a sustained session."""
    notes: str | None = None


class Scan(Record):
    """A run that is acquired in one or more sessions."""

    task: Label
    """BIDS ``task-``."""
    sessions: tuple[Label, ...] | None = None
    """All sessions when left out."""
    run: Annotated[int, Field(ge=1)] | None = None
    """BIDS ``run-``, where a task is acquired more than once."""
    start_min: dict[Label, float] = Field(default={})
    """Session -> minutes from time zero to the first volume, where the session has a time zero."""
    min_volumes: Annotated[int, Field(ge=1)] | None = None
    """A run with fewer volumes is too short to be used."""
    conditions: tuple[str, ...] = ()
    """``trial_type`` values of ``events.tsv``; empty for rest."""
    other_conditions: tuple[str, ...] = ()
    """Further ``trial_type`` values, which task measures leave in the baseline (instructions,
    pauses). A run with a value that stands in neither list is refused by them."""
    notes: str | None = None


class Scale(Record):
    """A rating scale, one file ``phenotype/<file>.tsv``."""

    label: str | None = None
    file: str | None = None
    """Stem of the file in ``phenotype/``; the scale's key when left out."""
    columns: tuple[str, ...] = Field(min_length=1)
    """Items whose sum is the score, or one column that holds the score."""
    subscales: dict[Label, Annotated[tuple[str, ...], Field(min_length=1)]] = Field(default={})
    """Subscale -> those of ``columns`` whose sum is its score."""
    minimum: float
    maximum: float
    """Range of the score."""
    item_minimum: float | None = None
    item_maximum: float | None = None
    """Range of one item. The score's range is then the sum of the items' ranges."""
    missing_items: Literal["refuse", "prorate"] = "refuse"
    """``refuse``: a rating of which some items are missing is an error. ``prorate``: the missing
    ones count as the mean of those answered. A rating without any item is missing in both."""
    min_items_answered: Annotated[float, Field(gt=0, le=1)] | None = None
    """``prorate``: least fraction of the items (of a subscale, of its items) that must be
    answered; with fewer the score is missing."""
    sessions: tuple[Label, ...] | None = None
    """All sessions when left out."""
    notes: str | None = None
