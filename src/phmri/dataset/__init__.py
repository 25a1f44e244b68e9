"""The data set: an index of BIDS and derivatives, its check against the protocol, its files.

A run is one preprocessed image (or table of time series) with the mask, the confounds and the
events that belong to it. `index_dataset` finds the runs by their names and headers alone,
`check_dataset` lays them over the protocol's participants x sessions x scans. Nothing outside this
room opens or writes a data file; what is written is written whole or not at all.
"""

from phmri.dataset._arrays import read_arrays, write_arrays
from phmri.dataset._associated import (
    LEAST_ASSOCIATED,
    association_cells,
    check_association,
)
from phmri.dataset._atlas import AtlasStore
from phmri.dataset._atlas_labels import AtlasLabels
from phmri.dataset._check import check_dataset, without_runs
from phmri.dataset._dosing import DosingTable, read_dosing, scan_dosing
from phmri.dataset._dosing_sidecar import read_run_dosing
from phmri.dataset._event_tables import EventTables, read_event_tables
from phmri.dataset._index import index_dataset
from phmri.dataset._parquet import write_parquet
from phmri.dataset._physio import physio_sidecars, read_physio
from phmri.dataset._questions import (
    REPEATED,
    check_question,
    needed_cells,
    source_of,
    unit_groups,
)
from phmri.dataset._read_events import read_events
from phmri.dataset._read_files import file_sha256, read_json
from phmri.dataset._read_images import read_image, read_mask
from phmri.dataset._read_series import read_series, scan_series, series_names
from phmri.dataset._read_tables import read_confounds, read_table
from phmri.dataset._records import (
    AssociationCheck,
    Cell,
    Confounds,
    DatasetCheck,
    DatasetIndex,
    DosingRow,
    Events,
    Image,
    Physio,
    QuestionCheck,
    Run,
    Series,
)
from phmri.dataset._scales import read_scale
from phmri.dataset._table_columns import covariate_problems, without_column
from phmri.dataset._tissues import find_tissues
from phmri.dataset._volumes import VolumeReader, open_volumes
from phmri.dataset._write import (
    sidecar_path,
    write_bytes,
    write_image,
    write_json,
    write_table,
    write_text,
    write_volumes,
)

__all__ = [
    "LEAST_ASSOCIATED",
    "REPEATED",
    "AssociationCheck",
    "AtlasLabels",
    "AtlasStore",
    "Cell",
    "Confounds",
    "DatasetCheck",
    "DatasetIndex",
    "DosingRow",
    "DosingTable",
    "EventTables",
    "Events",
    "Image",
    "Physio",
    "QuestionCheck",
    "Run",
    "Series",
    "VolumeReader",
    "association_cells",
    "check_association",
    "check_dataset",
    "check_question",
    "covariate_problems",
    "file_sha256",
    "find_tissues",
    "index_dataset",
    "needed_cells",
    "open_volumes",
    "physio_sidecars",
    "read_arrays",
    "read_confounds",
    "read_dosing",
    "read_event_tables",
    "read_events",
    "read_image",
    "read_json",
    "read_mask",
    "read_physio",
    "read_run_dosing",
    "read_scale",
    "read_series",
    "read_table",
    "scan_dosing",
    "scan_series",
    "series_names",
    "sidecar_path",
    "source_of",
    "unit_groups",
    "without_column",
    "without_runs",
    "write_arrays",
    "write_bytes",
    "write_image",
    "write_json",
    "write_parquet",
    "write_table",
    "write_text",
    "write_volumes",
]
