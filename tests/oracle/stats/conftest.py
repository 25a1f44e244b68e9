import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

HERE = Path(__file__).parent


@pytest.fixture
def expected() -> Callable[[str, str], dict]:
    def find(file: str, check: str) -> dict:
        checks = json.loads((HERE / "expected" / f"{file}.json").read_text())["checks"]
        return next(c["value"] for c in checks if c["id"] == check)

    return find


@pytest.fixture
def data() -> Callable[[str], pd.DataFrame]:
    return lambda name: pd.read_csv(HERE / "data" / f"{name}.csv")


@pytest.fixture
def volume_t() -> pd.DataFrame:
    return pd.read_csv(HERE / "expected" / "O_volume_t.csv")
