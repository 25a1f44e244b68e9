"""How the effect of a question goes with other maps of the brain, such as receptor densities."""

from pathlib import PurePath
from typing import Annotated, Literal

from pydantic import Field

from phmri.protocol._base import Label, Name, Record

__all__ = ["MapAssociation", "is_image"]


def is_image(file: str) -> bool:
    """Tell an image from a table by its name.

    Parameters
    ----------
    file : str
        As written in the protocol.

    Returns
    -------
    bool
        True for ``.nii`` and ``.nii.gz``.
    """
    return PurePath(file).name.endswith((".nii", ".nii.gz"))


class MapAssociation(Record):
    """How the effect of a question goes with other maps, over parcels."""

    text: str
    """The question as a person would ask it."""
    question: Name
    """Whose effect per parcel is taken; of voxels, its mean in every parcel."""
    maps: dict[Label, str] = Field(min_length=1)
    """Map -> its file, relative to the protocol file: a table with the columns ``name`` (of the
    parcel) and one called like the map, or an image, of which the mean in every parcel is taken.
    All maps of an entry are corrected together."""
    space: str | None = None
    """Template space of the images among ``maps``."""
    parcels: Name | None = None
    """Parcellation with a label image; left out where the question's own measure has one. Parcels
    of tabular time series are found in it by their names."""
    positions: str | None = None
    """Table with the columns ``name``, ``x``, ``y``, ``z`` (centre of the parcel, mm), relative
    to the protocol file; in place of a label image."""
    statistic: Literal["spearman", "pearson"] = "spearman"
    n_surrogates: Annotated[int, Field(ge=100, le=1_000_000)] = 5000
    """Maps with the spatial autocorrelation of the effect that make up the null distribution."""
    seed: Annotated[int, Field(ge=0)] = 0
    """Of the surrogates."""

    @property
    def images(self) -> tuple[str, ...]:  # numpydoc ignore=RT01
        """The maps whose file is an image."""
        return tuple(name for name, file in self.maps.items() if is_image(file))
