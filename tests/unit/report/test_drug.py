"""Concentration curves and courses: what is drawn, and for whom."""

import dataclasses

import numpy as np
import pytest
import scipy.stats
from matplotlib.collections import PolyCollection
from matplotlib.text import Text
from numpy.testing import assert_allclose

from phmri.report import BesideContent, CourseContent, ExposureContent
from phmri.report._drug import plot_course, plot_exposures
from phmri.report._style import make_looks

EDGES = (0.0, 1.0, 2.0, 3.5)


def texts(figure):
    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def title(axes):
    return axes._left_title.get_text()


def legend(figure):
    (found,) = figure.legends
    return [text.get_text() for text in found.get_texts()]


def with_course(content, values, *, edges=EDGES, question=0):
    course = CourseContent(edges_min=edges, unit="% signal change", values=values)
    found = content.questions[question]
    return dataclasses.replace(found, beside=BesideContent(course=course))


def exposure(name="plasma", n=2):
    times = (-1.0, 0.0, 1.0, 2.0)
    curves = tuple((times, (0.0, 0.0, 50.0 + k, 30.0)) for k in range(n))
    return ExposureContent(
        name=name, model="x in plasma", typical=(times, (0.0, 0.0, 60.0, 40.0)), curves=curves
    )


CROSSED = {
    "drug": {"01": (1.0, 2.0, 3.0), "02": (2.0, 4.0, 5.0), "03": (3.0, 3.0, 7.0), "04": (9.0,)},
    "placebo": {"01": (0.5, 0.0, 0.0), "02": (0.0, 1.0, 1.0), "04": (1.0, 1.0, 1.0)},
}


# ---------------------------------------------------------------------------------------- course
def test_means_and_intervals_of_each_treatment(crossover):
    figure = plot_course(crossover, with_course(crossover, CROSSED))
    left = figure.axes[0]
    # In the order of the protocol, whatever that of the record.
    assert legend(figure) == ["Placebo (n = 3)", "Drug X (n = 4, at the end 3)"]
    middles = [0.5, 1.5, 2.75]
    placebo, drug = left.lines[:2]
    assert_allclose(placebo.get_xdata(), middles)
    assert_allclose(placebo.get_ydata(), [0.5, 2 / 3, 2 / 3])
    assert_allclose(drug.get_ydata(), [3.75, 3.0, 5.0])
    band = [item for item in left.collections if isinstance(item, PolyCollection)][1]
    edges = band.get_paths()[0].vertices
    half = scipy.stats.t.ppf(0.975, 2) * np.std([3, 5, 7], ddof=1) / np.sqrt(3)
    at_the_end = edges[np.isclose(edges[:, 0], 2.75), 1]
    assert_allclose((at_the_end.min(), at_the_end.max()), (5 - half, 5 + half))
    assert left.get_ylabel() == "% signal change"
    assert left.get_xlabel() == "Minutes from the start of the infusion"
    assert title(left) == "Mean of each treatment ± 95 % CI"


def test_differences_are_within_people_who_had_both(crossover):
    figure = plot_course(crossover, with_course(crossover, CROSSED))
    left, right = figure.axes
    assert title(right) == "Drug X minus Placebo,\nwithin people (n = 3, at the end 2)"
    assert_allclose(right.lines[0].get_ydata(), [(0.5 + 2 + 8) / 3, (2 + 3) / 2, (3 + 4) / 2])
    assert left.get_ylim() == right.get_ylim()


def test_treatments_keep_their_colour(crossover):
    _, looks = make_looks(crossover.protocol, ("any",))
    figure = plot_course(crossover, with_course(crossover, CROSSED))
    colours = [line.get_color() for line in figure.axes[0].lines[:2]]
    assert colours == [looks["placebo"].colour, looks["drug"].colour]


def test_nobody_had_both(crossover):
    apart = {"drug": {"01": (1.0, 2.0, 3.0)}, "placebo": {"02": (0.0, 1.0, 1.0)}}
    figure = plot_course(crossover, with_course(crossover, apart))
    assert len(figure.axes) == 1
    assert legend(figure) == ["Placebo (n = 1)", "Drug X (n = 1)"]


def test_arms_have_no_difference_panel(parallel):
    values = {
        "placebo": {"01": (0.0, 1.0, 1.0), "02": (1.0, 1.0, 0.0)},
        "drug": {"06": (1.0, 2.0, 3.0), "07": (2.0, 2.0, 3.0)},
    }
    figure = plot_course(parallel, with_course(parallel, values))
    (axes,) = figure.axes
    assert legend(figure) == ["control (n = 2)", "treated (n = 2)"]
    arms, _ = make_looks(parallel.protocol, ("control", "treated"))
    colours = [line.get_color() for line in axes.lines[:2]]
    assert colours == [arms["control"].colour, arms["treated"].colour]


def test_a_single_bin_is_visible(crossover):
    values = {"drug": {"01": (1.0,), "02": (3.0,)}, "placebo": {"01": (0.0,), "02": (1.0,)}}
    figure = plot_course(crossover, with_course(crossover, values, edges=(0.0, 5.0)))
    drug = figure.axes[0].lines[1]
    assert_allclose(drug.get_xydata(), [[2.5, 2.0]])
    assert drug.get_marker() not in {"None", "", " "}


def test_question_without_a_course_is_refused(crossover):
    with pytest.raises(ValueError, match="without a course"):
        plot_course(crossover, crossover.questions[0])


# -------------------------------------------------------------------------------------- exposure
def test_typical_curve_is_thick_and_runs_are_thin(crossover):
    content = dataclasses.replace(crossover, exposures=(exposure(),))
    (axes,) = plot_exposures(content).axes
    *runs, typical, _ = axes.lines
    assert len(runs) == 2
    assert_allclose(typical.get_xydata(), list(zip(*exposure().typical, strict=True)))
    assert_allclose([line.get_ydata()[2] for line in runs], [50.0, 51.0])
    assert typical.get_linewidth() > 2 * runs[0].get_linewidth()
    assert title(axes) == "plasma"
    assert axes.get_ylabel() == "Concentration (ng/mL)"
    assert axes.get_xlabel() == "Minutes from the start of the infusion"
    assert axes.get_ylim()[0] == 0.0


@pytest.mark.parametrize(("n", "shape"), [(1, (1, 1)), (3, (1, 3)), (4, (2, 3)), (7, (3, 3))])
def test_three_exposures_in_a_row(crossover, n, shape):
    names = [f"exposure {k}" for k in range(n)]
    content = dataclasses.replace(crossover, exposures=tuple(map(exposure, names)))
    figure = plot_exposures(content)
    assert [title(axes) for axes in figure.axes] == names
    geometry = figure.axes[0].get_subplotspec().get_gridspec().get_geometry()
    assert geometry == shape
    labelled = [axes for axes in figure.axes if axes.get_ylabel()]
    assert len(labelled) == shape[0]


def test_titles_do_not_overlap(crossover):
    long = [exposure(f"concentration_of_metabolite_{k}") for k in range(3)]
    figure = plot_exposures(dataclasses.replace(crossover, exposures=tuple(long)))
    figure.draw_without_rendering()
    boxes = [axes._left_title.get_window_extent() for axes in figure.axes]
    assert boxes[0].x1 < boxes[1].x0
    assert boxes[1].x1 < boxes[2].x0


# -------------------------------------------------------------------------------------- simulated
def test_simulated_data_are_marked(parallel, crossover):
    values = {"placebo": {"01": (0.0, 1.0, 1.0)}, "drug": {"06": (1.0, 2.0, 3.0)}}
    marked = dataclasses.replace(parallel, exposures=(exposure(),))
    assert "SIMULATED DATA" in texts(plot_exposures(marked))
    assert "SIMULATED DATA" in texts(plot_course(parallel, with_course(parallel, values)))
    true = dataclasses.replace(crossover, exposures=(exposure(),))
    assert "SIMULATED DATA" not in texts(plot_exposures(true))
    assert "SIMULATED DATA" not in texts(plot_course(crossover, with_course(crossover, CROSSED)))
