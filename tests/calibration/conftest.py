"""What all calibrations share."""

import jaxtyping
import pytest


@pytest.fixture(autouse=True)
def _without_type_checks(monkeypatch):
    """Leave types to other tests: checked in thousands of trials they take most of the time."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
