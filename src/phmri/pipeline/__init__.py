"""What has to run, in which order, and what may be kept: from a protocol and data to a report.

`run` composes the rooms: check the data set against the protocol, measure every run (in parallel,
one process per worker), answer every question, write the report. Each step is kept when its
inputs, its parameters and the software have not changed. `describe_designs` tells beforehand what
every question shuffles, tests and can show, `describe_associations` who can tell how outcomes go
with scores, `check_after_events` who can answer at all; `look_ahead` what `run` would stop at.
"""

from phmri.pipeline._after_events import check_after_events
from phmri.pipeline._design import describe_designs
from phmri.pipeline._design_associations import describe_associations
from phmri.pipeline._design_summary import DesignSummary
from phmri.pipeline._look import look_ahead
from phmri.pipeline._run import RunSummary, run

__all__ = [
    "DesignSummary",
    "RunSummary",
    "check_after_events",
    "describe_associations",
    "describe_designs",
    "look_ahead",
    "run",
]
