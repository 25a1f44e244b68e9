"""A subscale can be missing where the whole scale is not."""

import math

from phmri.dataset import Cell
from phmri.pipeline._ratings import Rating
from phmri.pipeline._units import _usable

KEY = ("01", "day", "items")
CELL = Cell(
    subject="01", session="day", scan="items", group="drug", treatment="drug", status="ok",
    reason="", run=None,
)  # fmt: skip


def test_who_lacks_a_subscale_is_left_out_of_questions_about_it_alone() -> None:
    rating = Rating(key=KEY, score=4.0, subscales={"low": math.nan, "high": 2.0})
    cells, sources = {"outcome": CELL}, {KEY: rating}
    for part in (None, "high"):
        assert _usable(cells, "01", sources, {}, part) == ({"outcome": rating}, "")
    found, lacking = _usable(cells, "01", sources, {}, "low")
    assert found == {}
    assert lacking == "ses-day items: too few items of 'low' are answered"
