"""What a simulated trial is made of and what is planted in it: the model behind ``truth.yaml``."""

from typing import Annotated, Literal

from pydantic import Field

from phmri.protocol import ExposureResponse as Exposure
from phmri.protocol import GammaVariate, Name, Ramp, Record, Step

__all__ = [
    "Activation",
    "Background",
    "Coupling",
    "Curve",
    "Dropout",
    "Effect",
    "Expected",
    "FromRuns",
    "Missing",
    "Motion",
    "Movement",
    "Physiology",
    "RegionSignal",
    "Response",
    "ScaleTruth",
    "ScanTruth",
    "Tables",
    "Truth",
]

Share = Annotated[float, Field(ge=0, le=1)]
Correlation = Annotated[float, Field(ge=0, lt=1)]
Height = Annotated[float, Field(ge=-10, le=10)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Curve = Annotated[Exposure | Step | Ramp | GammaVariate, Field(discriminator="model")]


class ScanTruth(Record):
    """How long a scan is, and what its task does."""

    n_volumes: Annotated[int, Field(ge=20, le=5000)]
    t_r: Annotated[float, Field(gt=0, le=10)]
    """Seconds."""
    conditions: dict[str, Height] = Field(default={})
    """Condition -> height of its response, 1 for the strongest. Blocks of the conditions take
    turns; empty for rest."""
    block_s: Annotated[float, Field(ge=1)] = 24.0
    gap_s: NotNegative = 12.0
    first_s: NotNegative = 8.0
    """Seconds before the first block. Blocks of all conditions must fit the run; where none of
    the three lengths is told, they are shortened for a very short run."""


class RegionSignal(Record):
    """A region's own fluctuations."""

    signal_percent: Annotated[float, Field(ge=0, le=10)] = 1.0
    """Standard deviation in % of the mean of grey matter."""
    edge_mm: Positive = 8.0
    """From full strength at the region's border to nothing."""
    task: Annotated[float, Field(ge=-10, le=10)] = 0.0
    """Response to the task, in standard deviations of its own fluctuations."""


class FromRuns(Record):
    """Noise that is resampled from runs of real people."""

    files: tuple[str, ...] = Field(min_length=1)
    """Preprocessed images that still have their mean, relative to the truth file; a folder stands
    for all images in it whose names end in ``_bold``. People take turns."""
    method: Literal["phase", "block"] = "phase"
    """Of `resample`."""
    block_s: Positive = 30.0
    """Seconds that stay together in ``block``."""


class Dropout(Record):
    """Loss of signal where the field is uneven, as near the sinuses."""

    loss: Annotated[float, Field(gt=0, le=1)]
    """Share of the mean and of all signals that is lost in the region; the noise stays."""
    runs: Share = 1.0
    """Probability that a run has it."""


class Background(Record):
    """What every run holds, effect or not."""

    grey_percent: Annotated[float, Field(gt=0, le=20)] = 2.0
    white_percent: Annotated[float, Field(gt=0, le=20)] = 1.4
    csf_percent: Annotated[float, Field(gt=0, le=20)] = 2.6
    """Standard deviation of the noise, in % of the mean of grey matter."""
    grey_ar: Correlation = 0.4
    white_ar: Correlation = 0.2
    csf_ar: Correlation = 0.35
    """Correlation of the noise of neighbouring volumes."""
    drift_percent: Annotated[float, Field(ge=0, le=20)] = 1.0
    cardiac_percent: Annotated[float, Field(ge=0, le=10)] = 0.0
    respiratory_percent: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Cycles of about 1.1 and 0.25 Hz near fluid and at the brain's edge, sampled at the scan's
    repetition time."""
    from_runs: FromRuns | None = None
    """Instead of drawn noise, networks, global signal and tissue signals."""
    dropout: dict[Name, Dropout] = Field(default={})
    """Region of the protocol -> its loss."""


class Tables(Record):
    """Cleaned time series of parcels, in tables, instead of images."""

    columns: Annotated[int, Field(ge=2, le=5000)] | Annotated[tuple[str, ...], Field(min_length=2)]
    """How many columns, those of the protocol's regions among them; or the names of all."""
    noise_percent: Annotated[float, Field(gt=0, le=20)] = 0.6
    """Standard deviation of each column's own noise, in % of the mean."""
    noise_ar: Correlation = 0.4
    """Correlation of the noise of neighbouring volumes."""


class Motion(Record):
    """Sudden nods in a run, on average."""

    nods: Annotated[float, Field(ge=0, le=100)] = 2.0
    by_treatment: dict[Name, Annotated[float, Field(ge=0, le=100)]] = Field(default={})
    """Treatment -> nods, where it differs."""


class _Carried(Record):
    scan: Name
    treatments: dict[Name, Annotated[float, Field(ge=-5, le=5)]] = Field(min_length=1)
    """Treatment -> share of the full size: 1 for all of it, 0.5 for half blocked. Treatments
    that are not named have none."""
    sessions: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    """Sessions that carry it; all under such a treatment when left out."""


class _Effect(_Carried):
    own_map: Annotated[float, Field(ge=0, le=20)] = 0.0
    """People differ in where, not in size alone: standard deviation of a smooth map of each
    person's own, in units of the size."""


class Coupling(_Effect):
    """A region carries the own signal of another one."""

    kind: Literal["coupling"]
    seed: Name
    target: Name
    gain: Annotated[float, Field(ge=-10, le=10)]
    """Amount of the seed's signal, in standard deviations of the target's own."""
    gain_sd: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Between people."""
    conditions: tuple[str, ...] = ()
    """Only in blocks of these; the whole run when left out."""


class Response(_Effect):
    """The signal of a region follows a curve over the infusion."""

    kind: Literal["response"]
    region: Name
    curve: Curve
    """Its height is 1 at its peak, for an exposure at the highest level within the run."""
    percent: Annotated[float, Field(ge=-20, le=20)]
    """Signal change at the peak."""
    percent_sd: Annotated[float, Field(ge=0, le=20)] = 0.0
    """Between people."""


class Activation(_Effect):
    """A region responds to the task."""

    kind: Literal["activation"]
    region: Name
    conditions: dict[str, Height] = Field(min_length=1)
    """Condition -> height."""
    percent: Annotated[float, Field(ge=-20, le=20)]
    """Signal change at height 1."""
    percent_sd: Annotated[float, Field(ge=0, le=20)] = 0.0
    """Between people."""


class Physiology(_Carried):
    """The drug changes blood flow, pulse or breathing: a signal that is not neural."""

    kind: Literal["physiology"]
    place: Literal["brain", "vessels", "edge"]
    """Everywhere and most in grey matter; near fluid; at the brain's edge."""
    curve: Curve
    """Its height is 1 at its peak, for an exposure at the highest level within the run."""
    percent: Annotated[float, Field(ge=-20, le=20)]
    """Signal change at the peak, where it is largest."""
    percent_sd: Annotated[float, Field(ge=0, le=20)] = 0.0
    """Between people."""


class Movement(_Carried):
    """The head slides with the drug; confound tables see it."""

    kind: Literal["movement"]
    direction: Literal["x", "y", "z"]
    curve: Curve
    """Its height is 1 at its peak, for an exposure at the highest level within the run."""
    mm: Annotated[float, Field(ge=-10, le=10)]
    """At the peak."""
    mm_sd: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Between people."""


Effect = Annotated[
    Coupling | Response | Activation | Physiology | Movement, Field(discriminator="kind")
]


class ScaleTruth(Record):
    """Scores of a rating scale."""

    mean: dict[Name, float] = Field(default={})
    """Treatment -> mean score; ``minimum`` of the scale where none is given."""
    sd: NotNegative
    """Between ratings."""
    follows: dict[Name, float] = Field(default={})
    """Effect -> points per standard deviation of its size between people, under treatments that
    carry it and in proportion to their share."""


class Missing(Record):
    """What is lost."""

    session: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Probability that a visit after the first did not take place."""


class Expected(Record):
    """What an analysis should say of a question or association."""

    planted: tuple[Name, ...] = ()
    """Effects (or scales) that it asks of; empty where nothing is planted."""
    verdict: Literal["blocked", "partly blocked", "not blocked"] | None = None
    """Of its blockade."""
    published: str | None = None
    """What the trial's authors reported."""


class Truth(Record):
    """A whole simulation."""

    phmri_truth: Literal[1]
    notes: str | None = None
    scenario: str | None = None
    """Which of a demo's truths it is."""
    voxel_mm: Literal[2, 3, 4, 6] = 2
    tables: Tables | None = None
    participants: dict[Name, Annotated[int, Field(ge=1, le=1000)]] = Field(default={})
    """Arm or sequence -> people, nobody in those that are not named; without it, those that the
    protocol plans."""
    scans: dict[Name, ScanTruth] = Field(min_length=1)
    regions: dict[Name, RegionSignal] = Field(default={})
    """Regions of the protocol that have fluctuations of their own, or carry effects."""
    background: Background = Background()
    motion: Motion = Motion()
    missing: Missing = Missing()
    effects: dict[Name, Effect] = Field(default={})
    scales: dict[Name, ScaleTruth] = Field(default={})
    expected: dict[Name, Expected] = Field(default={})
    """Question or association -> what it should find; nothing where it is not named."""
