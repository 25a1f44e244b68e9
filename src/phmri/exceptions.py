"""Errors that phmri raises on purpose.

::

    PhmriError
    ├── ProtocolError      the protocol file cannot be used as written
    ├── DatasetError       a file of the data set is missing, broken or contradicts another
    │   └── AtlasError     an atlas could not be found, fetched or trusted
    ├── PharmacokineticsError    doses or a drug model that give no concentration
    ├── SignalsError       an image cannot be turned into the asked time series
    │   ├── RegionError    a region cannot be placed in the data
    │   └── DegreesOfFreedomError    cleaning leaves too little of a run
    ├── FirstLevelError    one run cannot give the asked measure
    ├── DesignError        a question the design or the data at hand cannot answer
    ├── InferenceError     a statistic or its p-value cannot be computed
    ├── SimulationError    a synthetic trial cannot be made as asked
    └── OutputError        a result cannot be written

Each carries `Problem` records, so that all mistakes of one input are told at once.
"""

from dataclasses import dataclass

__all__ = [
    "SAME_OUTCOME",
    "AtlasError",
    "DatasetError",
    "DegreesOfFreedomError",
    "DesignError",
    "FirstLevelError",
    "InferenceError",
    "OutputError",
    "PharmacokineticsError",
    "PhmriError",
    "Problem",
    "ProtocolError",
    "RegionError",
    "SignalsError",
    "SimulationError",
]


SAME_OUTCOME = "the outcome is the same in every participant"
"""How every refusal of an outcome that does not vary begins."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Say one thing that is wrong: what, where, what was found, what was expected.

    Parameters
    ----------
    what : str
        The problem in one sentence, without a final stop.
    file : str, optional
        Path of the file it is in.
    line : int, optional
        Line of that file, counted from 1.
    subject, session : str, optional
        BIDS labels without their prefix.
    field : str, optional
        Key, column or question concerned, e.g. ``"design.arms.ketamine.treatment"``.
    found : str, optional
        What stands there now.
    expected : str, optional
        What could stand there.
    """

    what: str
    file: str | None = None
    line: int | None = None
    subject: str | None = None
    session: str | None = None
    field: str | None = None
    found: str | None = None
    expected: str | None = None

    def __str__(self) -> str:
        place = self.file or ""
        if self.line is not None:
            place += f":{self.line}"
        labels = [
            f"{prefix}{value}"
            for prefix, value in (("sub-", self.subject), ("ses-", self.session))
            if value
        ]
        where = ", ".join(part for part in (place, *labels, self.field) if part)
        text = f"{where}: {self.what}" if where else self.what
        if self.found is not None:
            text += f"; found {self.found}"
        if self.expected is not None:
            text += f"; expected {self.expected}"
        return text


class PhmriError(Exception):
    """Report one or more problems.

    Parameters
    ----------
    *problems : Problem or str
        Everything that is wrong, in the order in which it should be read. A text stands for
        a `Problem` that has no more to tell than that sentence.
    """

    def __init__(self, *problems: Problem | str) -> None:
        self.problems = tuple(
            Problem(what=item) if isinstance(item, str) else item for item in problems
        )
        super().__init__(*self.problems)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class ProtocolError(PhmriError):
    """The protocol file cannot be used as written."""


class DatasetError(PhmriError):
    """A file of the data set is missing, broken or contradicts another."""


class AtlasError(DatasetError):
    """An atlas could not be found, fetched or trusted."""


class PharmacokineticsError(PhmriError):
    """Doses or a drug model from which no concentration can be computed."""


class SignalsError(PhmriError):
    """An image cannot be turned into the asked time series."""


class RegionError(SignalsError):
    """A region cannot be placed in the data."""


class DegreesOfFreedomError(SignalsError):
    """Cleaning leaves too few degrees of freedom of a run: it is excluded, not broken."""


class FirstLevelError(PhmriError):
    """One run cannot give the asked measure."""


class DesignError(PhmriError):
    """A question that the design or the data at hand cannot answer."""


class InferenceError(PhmriError):
    """A statistic or its p-value cannot be computed."""


class SimulationError(PhmriError):
    """A synthetic trial cannot be made as asked."""


class OutputError(PhmriError):
    """A result cannot be written."""
