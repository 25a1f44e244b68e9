"""The analysis: regions, denoising, exclusions."""

from typing import Annotated, Literal

from pydantic import Field

from phmri.protocol._base import Label, Record

__all__ = [
    "Censor",
    "Denoising",
    "Exclusions",
    "JulichRegion",
    "LabelRegion",
    "MaskRegion",
    "Parcellation",
    "Region",
    "SeriesRegion",
    "SphereRegion",
]


class JulichRegion(Record):
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


class SphereRegion(Record):
    """All voxels whose centre lies within a radius of a point."""

    kind: Literal["sphere"]
    center_mm: tuple[float, float, float]
    """x, y, z in mm of ``space``."""
    radius_mm: Annotated[float, Field(gt=0)]
    space: str
    """Template that the coordinates belong to, e.g. ``MNI152NLin2009cAsym``, or ``native``."""


class MaskRegion(Record):
    """Non-zero voxels of a mask image."""

    kind: Literal["mask"]
    file: str
    """Path, relative to the protocol file."""
    space: str


class LabelRegion(Record):
    """One or more labels of a label image, merged."""

    kind: Literal["label"]
    file: str
    labels: tuple[int, ...] = Field(min_length=1)
    space: str


class SeriesRegion(Record):
    """One or more columns of tabular time series, averaged."""

    kind: Literal["series"]
    columns: tuple[str, ...] = Field(min_length=1)


Region = Annotated[
    JulichRegion | SphereRegion | MaskRegion | LabelRegion | SeriesRegion,
    Field(discriminator="kind"),
]


class Parcellation(Record):
    """All labels of a label image, or all columns of tabular time series."""

    file: str | None = None
    """Label image, relative to the protocol file; left out for tabular time series."""
    names: str | None = None
    """Table with columns ``index`` and ``name``, relative to the protocol file."""
    space: str | None = None
    """Template space of ``file``."""
    seg: Label | None = None
    """BIDS ``seg-`` of the tabular time series, where there is more than one."""


class Censor(Record):
    """Volumes to leave out. The limits are part of the protocol; fix them before unblinding."""

    fd_mm: Annotated[float, Field(gt=0)] | None = None
    """Framewise displacement above this."""
    std_dvars: Annotated[float, Field(gt=0)] | None = None
    """Standardised DVARS above this."""


class Denoising(Record):
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
    physiology: Literal["none", "retroicor", "retroicor_rates"] = "none"
    """From the run's ``_physio.tsv.gz``: phases of pulse and breathing; ``retroicor_rates`` with
    heart rate and breathing volume, convolved with their responses, as well."""
    task: Literal["keep", "remove"] = "keep"
    """``remove`` takes the task conditions, convolved with the haemodynamic response, out."""
    min_df: Annotated[int, Field(ge=3)] = 20
    """A run with fewer degrees of freedom left is refused."""


class Exclusions(Record):
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
    participants: dict[Label, str] = Field(default={})
    """Participant -> reason, for those excluded by hand before unblinding."""
