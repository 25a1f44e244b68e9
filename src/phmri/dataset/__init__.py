"""Index of BIDS and derivatives, checks against the protocol; the only reader and writer of data files."""

from phmri.dataset._records import (
    Cell,
    Confounds,
    DatasetCheck,
    DatasetIndex,
    Events,
    Image,
    QuestionCheck,
    Run,
    Series,
)

__all__ = [
    "Cell",
    "Confounds",
    "DatasetCheck",
    "DatasetIndex",
    "Events",
    "Image",
    "QuestionCheck",
    "Run",
    "Series",
]
