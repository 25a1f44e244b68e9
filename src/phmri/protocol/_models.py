"""The trial as its authors declare it: the model behind ``trial.yaml``.

Everything that changes a result stands here and nowhere else. All records are frozen and refuse
unknown keys. Cross-references between sections are checked in `phmri.protocol._references`.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = [
    "Arm",
    "Crossover",
    "Denoising",
    "Design",
    "Dose",
    "Drug",
    "Exclusions",
    "Inference",
    "JulichRegion",
    "LabelRegion",
    "MaskRegion",
    "Measure",
    "Parallel",
    "Parcellation",
    "Protocol",
    "Question",
    "Region",
    "RoiToRoi",
    "Scale",
    "Scan",
    "SeedToParcel",
    "SeedToVoxel",
    "SeriesRegion",
    "Sequence",
    "Session",
    "SphereRegion",
    "Treatment",
    "Where",
]

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=40)]
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9]+$", max_length=40)]
Probability = Annotated[float, Field(gt=0, lt=1)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Drug(_Record):
    """A substance that is given."""

    name: str | None = None
    """Full name, as it should read in the report; the key itself when left out."""
    form: str | None = None
    """Racemate, enantiomer, salt, formulation."""
    notes: str | None = None


class Dose(_Record):
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


class Treatment(_Record):
    """What a participant receives in one session."""

    label: str | None = None
    """How the report calls it; the key itself when left out."""
    doses: tuple[Dose, ...] = ()
    """Empty for a placebo."""
    notes: str | None = None


class Arm(_Record):
    """What a participant of a parallel trial is randomised to."""

    treatment: Name
    n_planned: Annotated[int, Field(gt=0)] | None = None


class Parallel(_Record):
    """Each participant receives one treatment."""

    kind: Literal["parallel"]
    arms: dict[Name, Arm] = Field(min_length=2)
    column: str = "arm"
    """Column of ``participants.tsv`` that holds the arm."""
    strata: tuple[str, ...] = ()
    """Columns of ``participants.tsv`` that the randomisation was stratified by."""


class Sequence(_Record):
    """An ordered list of treatments in a crossover."""

    treatments: tuple[Name, ...] = Field(min_length=2)
    """One per period, in order."""
    n_planned: Annotated[int, Field(gt=0)] | None = None
    experiment: str | None = None
    """Set when one protocol holds several crossover experiments with different people."""


class Crossover(_Record):
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


class Session(_Record):
    """A visit (BIDS ``ses-``). The key in ``sessions`` is the BIDS label."""

    phase: Literal["baseline", "acute", "sustained"]
    period: Annotated[int, Field(ge=1)] | None = None
    """Crossover with recorded order: which period this session is, counted from 1."""
    treatment: Name | None = None
    """Crossover of unknown order: the treatment that this session's label stands for."""
    hours_after: float | None = None
    """Hours from time zero to the visit, for a sustained session."""
    notes: str | None = None


class Scan(_Record):
    """A run that is acquired in one or more sessions."""

    task: Label
    """BIDS ``task-``."""
    sessions: tuple[Label, ...] | None = None
    """All sessions when left out."""
    run: Annotated[int, Field(ge=1)] | None = None
    """BIDS ``run-``, where a task is acquired more than once."""
    start_min: dict[Label, float] = {}
    """Session -> minutes from time zero to the first volume, where the session has a time zero."""
    min_volumes: Annotated[int, Field(ge=1)] | None = None
    """A run with fewer volumes is too short to be used."""
    conditions: tuple[str, ...] = ()
    """``trial_type`` values of ``events.tsv``; empty for rest."""
    notes: str | None = None


class Scale(_Record):
    """A rating scale, one file ``phenotype/<file>.tsv``."""

    label: str | None = None
    file: str | None = None
    """Stem of the file in ``phenotype/``; the scale's key when left out."""
    columns: tuple[str, ...] = Field(min_length=1)
    """Items whose sum is the score, or one column that holds the score."""
    minimum: float
    maximum: float
    """Range of the score."""
    sessions: tuple[Label, ...] | None = None
    notes: str | None = None


class JulichRegion(_Record):
    """Areas of the Julich-Brain cytoarchitectonic atlas, by name."""

    kind: Literal["julich"]
    areas: tuple[str, ...] = Field(min_length=1)
    """For example ``[p24ab, p24c, p32]``."""
    hemisphere: Literal["left", "right", "both"] = "both"
    """``both`` merges the two sides into one region."""
    weighting: Literal["mask", "probability"] = "mask"
    """Mean over the maximum-probability mask, or weighted by the areas' summed probability."""
    version: Literal["3.1"] = "3.1"
    space: str = "MNI152NLin2009cAsym"
    """Template space of the atlas files to be used."""


class SphereRegion(_Record):
    """All voxels whose centre lies within a radius of a point."""

    kind: Literal["sphere"]
    center_mm: tuple[float, float, float]
    """x, y, z in mm of ``space``."""
    radius_mm: Annotated[float, Field(gt=0)]
    space: str
    """Template that the coordinates belong to, e.g. ``MNI152NLin2009cAsym``, or ``native``."""


class MaskRegion(_Record):
    """Non-zero voxels of a mask image."""

    kind: Literal["mask"]
    file: str
    """Path, relative to the protocol file."""
    space: str


class LabelRegion(_Record):
    """One or more labels of a label image, merged."""

    kind: Literal["label"]
    file: str
    labels: tuple[int, ...] = Field(min_length=1)
    space: str


class SeriesRegion(_Record):
    """One or more columns of tabular time series, averaged."""

    kind: Literal["series"]
    columns: tuple[str, ...] = Field(min_length=1)


Region = Annotated[
    JulichRegion | SphereRegion | MaskRegion | LabelRegion | SeriesRegion,
    Field(discriminator="kind"),
]


class Parcellation(_Record):
    """All labels of a label image, or all columns of tabular time series."""

    file: str | None = None
    """Label image, relative to the protocol file; left out for tabular time series."""
    names: str | None = None
    """Table with columns ``index`` and ``name``, relative to the protocol file."""
    space: str | None = None
    """Template space of ``file``."""
    seg: Label | None = None
    """BIDS ``seg-`` of the tabular time series, where there is more than one."""


class Censor(_Record):
    """Volumes to leave out. The limits are part of the protocol; fix them before unblinding."""

    fd_mm: Annotated[float, Field(gt=0)] | None = None
    """Framewise displacement above this."""
    std_dvars: Annotated[float, Field(gt=0)] | None = None
    """Standardised DVARS above this."""


class Denoising(_Record):
    """What is taken out of every time series, in one projection."""

    strategy: Literal[
        "none",
        "6motion",
        "24motion",
        "6motion_wmcsf",
        "24motion_wmcsf",
        "24motion_wmcsf_gsr",
        "36p",
        "acompcor",
        "acompcor_gsr",
        "aroma",
        "aroma_gsr",
    ]
    highpass_hz: Annotated[float, Field(gt=0)] | None = None
    lowpass_hz: Annotated[float, Field(gt=0)] | None = None
    filter: Literal["projection", "butterworth"] = "projection"
    """``projection``: cosines outside the band, in the same projection as the confounds.
    ``butterworth``: order 5 zero-phase filter of data and confounds, then regression, as nilearn
    does; not a projection, offered for comparison; refuses censoring."""
    n_compcor: Annotated[int, Field(ge=1)] = 5
    """Components per tissue mask, for the aCompCor strategies."""
    smoothing_fwhm_mm: Annotated[float, Field(ge=0)] = 0.0
    """Voxelwise maps only; regions are averaged from unsmoothed data."""
    censor: Censor = Censor()
    non_steady_state: Literal["remove", "keep"] = "remove"
    """Leading volumes that fMRIPrep marks as not yet in steady state."""
    discard_volumes: Annotated[int, Field(ge=0)] = 0
    """Leading volumes to remove whatever the confounds file says."""
    task: Literal["keep", "remove"] = "keep"
    """``remove`` takes the task conditions, convolved with the haemodynamic response, out."""
    min_df: Annotated[int, Field(ge=3)] = 20
    """A run with fewer degrees of freedom left is refused."""


class _RunMeasure(_Record):
    scan: Name
    denoising: Name


class SeedToVoxel(_RunMeasure):
    """Fisher z of the correlation of a seed region with every voxel."""

    kind: Literal["seed_to_voxel"]
    seed: Name


class SeedToParcel(_RunMeasure):
    """Fisher z of the correlation of a seed region with every parcel."""

    kind: Literal["seed_to_parcel"]
    seed: Name
    parcels: Name


class RoiToRoi(_RunMeasure):
    """Fisher z of the correlations among regions, or among all parcels of a parcellation."""

    kind: Literal["roi_to_roi"]
    regions: tuple[Name, ...] | None = None
    parcels: Name | None = None
    """Either ``regions`` or ``parcels``."""
    summary: Literal["edges", "nodes", "global"] = "edges"
    """``edges``: every pair. ``nodes``: for each region the mean over its pairs. ``global``: the
    mean over all pairs, one number."""


Measure = Annotated[SeedToVoxel | SeedToParcel | RoiToRoi, Field(discriminator="kind")]


class Where(_Record):
    """Where a question looks. Left out: every voxel, parcel or edge of the measure."""

    mean_of: Name | None = None
    """Mean of a map over this region: one number per participant."""
    within: Name | None = None
    """Only voxels of this region: a small volume, corrected within it."""
    at: str | None = None
    """One parcel, node (``A``) or edge (``A~B``) by name."""


class Inference(_Record):
    """How p-values are made."""

    method: Literal["max_statistic"] = "max_statistic"
    """Family-wise error by permutation with the maximum statistic."""
    n_permutations: Annotated[int, Field(ge=100)] = 5000
    """Shufflings asked for; all of them are enumerated when there are no more than this."""
    seed: Annotated[int, Field(ge=0)] = 0
    alpha: Probability = 0.05
    confidence: Probability = 0.95


class Question(_Record):
    """An estimand: which measure, which contrast of treatments, when, adjusted for what, where."""

    text: str
    """The question as a person would ask it."""
    role: Literal["primary", "secondary", "exploratory"]
    family: str | None = None
    """Questions of one family share an error rate."""
    measure: Name
    contrast: tuple[Name, Name]
    """Two arms (parallel) or two treatments (crossover): the first minus the second."""
    session: Label | None = None
    """Parallel: the session of the outcome. Crossover: left out."""
    baseline: Label | None = None
    """Parallel: the session to adjust for (``ancova``) or to subtract (``change``)."""
    estimator: Literal["ancova", "change", "post", "crossover"]
    covariates: tuple[str, ...] = ()
    """Columns of ``participants.tsv``; numbers are centred, texts become indicator columns."""
    where: Where = Where()
    alternative: Literal["two-sided", "greater", "less"] = "two-sided"
    inference: Inference | None = None
    """Overrides the protocol's ``inference`` for this question."""


class Exclusions(_Record):
    """Rules fixed before unblinding. A run that meets one is left out, and counted."""

    max_mean_fd_mm: Annotated[float, Field(gt=0)] | None = None
    max_censored_fraction: Annotated[float, Field(gt=0, le=1)] | None = None
    min_region_coverage: Annotated[float, Field(ge=0, le=1)] = 0.5
    """Least fraction of a seed's voxels that must lie in the run's mask and carry signal."""
    dropout_threshold: Annotated[float, Field(ge=0, lt=1)] = 0.25
    """A voxel carries signal when its mean is above this fraction of the brain's median."""
    broken_run: Literal["stop", "exclude"] = "stop"
    """A run whose files are broken stops the trial, or is left out, reported and counted."""
    min_participants_per_group: Annotated[int, Field(ge=2)] = 2
    participants: dict[Label, str] = {}
    """Participant -> reason, for those excluded by hand before unblinding."""


class Protocol(_Record):
    """A whole trial."""

    phmri: Literal[1]
    """Version of this file's format."""
    name: Name
    title: str
    registration: str | None = None
    references: tuple[str, ...] = ()
    """DOIs of the trial's own publications."""
    notes: str | None = None
    drugs: dict[Name, Drug]
    treatments: dict[Name, Treatment] = Field(min_length=1)
    design: Design
    sessions: dict[Label, Session] = Field(min_length=1)
    scans: dict[Name, Scan] = Field(min_length=1)
    scales: dict[Name, Scale] = {}
    space: str
    """Template space of the preprocessed data (BIDS ``space-``), or ``native``."""
    resolution: str | None = None
    """BIDS ``res-``, where there is more than one."""
    regions: dict[Name, Region] = {}
    parcellations: dict[Name, Parcellation] = {}
    denoising: dict[Name, Denoising] = Field(min_length=1)
    measures: dict[Name, Measure] = Field(min_length=1)
    questions: dict[Name, Question] = Field(min_length=1)
    inference: Inference = Inference()
    exclusions: Exclusions = Exclusions()
