"""What every record of a protocol shares: frozen, unknown keys refused, two kinds of name."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Label", "Name", "Probability", "Record"]

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=40)]
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9]+$", max_length=40)]
Probability = Annotated[float, Field(gt=0, lt=1)]


class Record(BaseModel):
    """A part of a protocol."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )
