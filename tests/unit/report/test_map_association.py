"""Associations with other maps on the page and in their figure."""

import dataclasses

import numpy as np
import pytest

from phmri.report import (
    MapAssociationContent,
    MapAssociationResult,
    MapAssociationRow,
    plot_map_association,
    write_report,
)
from phmri.report._style import ACCENT, MUTED

EVIL = "<script>alert('x')</script>"
ROWS = tuple(
    MapAssociationRow(
        name=name, correlation=r, pvalue=0.01, pvalue_corrected=p, pvalue_naive=1e-9, index=0.1,
        found=p <= 0.05,
    )
    for name, r, p in (
        ("5HT2a", 0.61, 0.012), ("D2", -0.2, 0.7), ("GABAa", 0.1, 0.8), ("H3", 0.0, 1.0),
        ("M1", 0.3, 0.4),
    )
)  # fmt: skip
RESULT = MapAssociationResult(
    name="receptors",
    text=f"Does it go with receptors {EVIL}?",
    verdict="found",
    sentence=f"It went with 5HT2a {EVIL}.",
    statistic="spearman",
    question="edges",
    label="Drug X − placebo, connectivity",
    unit="Fisher z",
    n_places=12,
    n_surrogates=4999,
    index=0.04,
    rows=ROWS,
    notes=("Chance is a map [doi:10.1111/2041-210x.12407].",),
)
EFFECT = tuple(np.linspace(-0.1, 0.3, 12).tolist())
CONTENT = MapAssociationContent(
    result=RESULT,
    effect=EFFECT,
    maps={row.name: tuple(np.roll(EFFECT, k).tolist()) for k, row in enumerate(ROWS)},
)
REFUSED = MapAssociationContent(
    result=dataclasses.replace(
        RESULT, name="absent", verdict="refused", sentence="Parcels are missing.", rows=(),
        label="", n_places=0, index=None, notes=(),
    )
)  # fmt: skip


@pytest.fixture
def page(parallel, tmp_path):
    content = dataclasses.replace(parallel, map_associations=(CONTENT, REFUSED))
    return write_report(content, tmp_path / "index.html").read_text(encoding="utf-8")


def test_the_page_shows_all_p_values_and_escapes_texts(page):
    section = page[page.index('<section id="map-associations">') :]
    section = section[: section.index("</section>")]
    assert EVIL not in page
    assert section.count("<tr") == 1 + len(ROWS)
    assert '<tr class="passes"><td>5HT2a</td><td class="num">+0.61</td>' in section
    assert section.count('class="passes"') == 1
    assert "p that would have been claimed" in section
    assert '<a href="#question-edges">edges</a>' in section
    assert "<dd>4,999 surrogate maps of the effect</dd>" in section
    assert "Moran spectral randomization methods" in page
    assert '<li><a href="#map-associations">Other maps</a>' in page


def test_a_refusal_keeps_its_place_without_numbers(page):
    article = page[page.index('id="map-association-absent"') :]
    article = article[: article.index("</article>")]
    assert "Parcels are missing." in article
    assert "<table" not in article
    assert "<img" not in article


def test_no_section_without_associations(parallel, tmp_path):
    page = write_report(parallel, tmp_path / "index.html").read_text(encoding="utf-8")
    assert "map-associations" not in page


def test_the_figure_has_every_parcel_in_every_map(parallel):
    figure = plot_map_association(parallel, CONTENT)
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert len(panels) == len(ROWS)
    for axes, row in zip(panels, ROWS, strict=True):
        points = np.asarray(axes.collections[0].get_offsets())
        np.testing.assert_allclose(points[:, 0], CONTENT.maps[row.name])
        np.testing.assert_allclose(points[:, 1], EFFECT)
        assert axes.lines[-1].get_color() == (ACCENT if row.found else MUTED)
    assert panels[1].get_xlabel() == "rho = −0.20, corrected p = 0.700"
