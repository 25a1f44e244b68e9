"""Which software and which data a result was made with."""

import platform
from functools import cache
from importlib.metadata import version

from phmri import __version__
from phmri.dataset import DatasetIndex, read_json
from phmri.protocol import Protocol

__all__ = ["dataset_description", "is_simulated", "software_versions"]

_LIBRARIES = ("numpy", "scipy", "numba", "nibabel", "nilearn", "pandas", "pydantic", "matplotlib")


@cache
def software_versions() -> dict[str, str]:
    """Give the versions of everything that numbers depend on.

    Returns
    -------
    dict of str to str
    """
    versions = {"phmri": __version__, "Python": platform.python_version()}
    versions.update({name: version(name) for name in _LIBRARIES})
    return versions


def is_simulated(index: DatasetIndex) -> bool:
    """Tell whether the data set calls itself simulated.

    Parameters
    ----------
    index : DatasetIndex

    Returns
    -------
    bool
        True when a ``dataset_description.json`` has ``"Simulated": true`` or is named SIMULATED.
    """
    for folder in (index.root, *index.derivatives):
        path = folder / "dataset_description.json"
        if path.is_file():
            description = read_json(path)
            if description.get("Simulated") is True:
                return True
            if "SIMULATED" in str(description.get("Name", "")):
                return True
    return False


def dataset_description(
    protocol: Protocol, protocol_sha256: str, index: DatasetIndex
) -> dict[str, object]:
    """Describe the results as a BIDS derivative.

    Parameters
    ----------
    protocol : Protocol
    protocol_sha256 : str
    index : DatasetIndex

    Returns
    -------
    dict
        Content of ``dataset_description.json``.
    """
    simulated = is_simulated(index)
    return {
        "Name": f"{'SIMULATED: ' if simulated else ''}{protocol.title}",
        "BIDSVersion": "1.10.0",
        "DatasetType": "derivative",
        "Simulated": simulated,
        "ProtocolSHA256": protocol_sha256,
        "GeneratedBy": [{"Name": "phmri", "Version": __version__}],
        "SourceDatasets": [
            {"URL": folder.resolve().as_uri()} for folder in (index.root, *index.derivatives)
        ],
    }
