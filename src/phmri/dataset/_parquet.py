"""Tables as Parquet."""

import io
from pathlib import Path

import pandas as pd

from phmri.dataset._write import write_bytes

__all__ = ["write_parquet"]


def write_parquet(path: Path, table: pd.DataFrame) -> Path:
    """Write a table as Parquet, whole or not at all.

    Parameters
    ----------
    path : Path
        ``.parquet``.
    table : DataFrame
        The index is not written.

    Returns
    -------
    Path
        `path`.
    """
    content = io.BytesIO()
    table.to_parquet(content, index=False)
    return write_bytes(Path(path), content.getvalue())
