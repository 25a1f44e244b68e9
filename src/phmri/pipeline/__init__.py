"""What has to run, in which order, and what may be kept: from a protocol and data to a report.

`run` composes the rooms: check the data set against the protocol, measure every run (in parallel,
one process per worker), answer every question, write the report. Each step is kept when its
inputs, its parameters and the software have not changed.
"""

from phmri.pipeline._run import RunSummary, run

__all__ = ["RunSummary", "run"]
