import dataclasses
import math

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.contour import ContourSet
from matplotlib.text import Text

from phmri.exceptions import OutputError
from phmri.report import (
    plot_completeness,
    plot_coverage,
    plot_flow,
    plot_outcomes,
    plot_participants,
    plot_quality,
    plot_regions,
    plot_statistic_map,
)
from phmri.report._style import STYLE, data_uri, make_looks, new_figure


def texts(figure):
    """Every visible text of a figure, with its legend and its axis labels."""
    figure.draw_without_rendering()
    found = [text.get_text() for text in figure.findobj(Text)]
    return [text for text in found if text]


def by_name(content, name):
    return next(q for q in content.questions if q.claim.question == name)


def every_figure(content):
    yield plot_flow(content)
    yield plot_completeness(content)
    yield plot_quality(content)
    yield plot_coverage(content)
    yield plot_regions(content)
    yield plot_statistic_map(content, by_name(content, "whole"))
    yield plot_outcomes(content, by_name(content, "network"))
    yield plot_participants(content, by_name(content, "single"))


def test_simulated_data_are_marked_in_every_figure(parallel):
    for figure in every_figure(parallel):
        assert "SIMULATED DATA" in texts(figure)


def test_true_data_carry_no_mark(crossover):
    assert "SIMULATED DATA" not in texts(plot_flow(crossover))


def test_flow_counts(parallel):
    found = "\n".join(texts(plot_flow(parallel))).replace("\N{NO-BREAK SPACE}", " ")
    assert "participants.tsv): n = 10" in found
    assert "n = 5 of 5 planned" in found
    assert "rest: 4 used of 5" in found
    assert "rest: 3 used of 5" in found
    assert "no data: 1 run (1 participant)" in found
    assert "mean framewise displacement: 4 runs (2 participants)" in found.replace("\n  ", " ")
    assert "whole: n = 4" in found


def test_flow_of_unknown_order(crossover):
    found = "\n".join(texts(plot_flow(crossover)))
    assert "mean: n = 8" in found
    assert "none" in found


def test_completeness_names_participants_and_states(parallel):
    found = texts(plot_completeness(parallel))
    assert {"01", "10", "before · rest", "acute · rest", "control (n = 5)"} <= set(found)
    assert "missing (–)" in found
    assert "excluded for quality (q)" in found


def test_completeness_of_a_large_trial_is_cut_into_bands(parallel):
    cells = tuple(
        dataclasses.replace(parallel.check.cells[0], subject=f"{number:03d}")
        for number in range(200)
    )
    large = dataclasses.replace(
        parallel,
        groups={cell.subject: "control" for cell in cells},
        check=dataclasses.replace(parallel.check, cells=cells),
    )
    assert len(plot_completeness(large).axes) == 3


def test_quality_has_units_and_n(parallel):
    figure = plot_quality(parallel)
    found = texts(figure)
    assert "Mean framewise\ndisplacement (mm)" in found
    assert "Censored volumes\n(% of run)" in found
    assert "control (n = 5)" in found
    assert "treated (n = 3)" in found
    assert len(figure.axes) == 4


def test_quality_leaves_out_what_is_unknown(crossover):
    assert [axes.get_ylabel() for axes in plot_quality(crossover).axes] == [
        "Degrees of freedom\nleft by cleaning"
    ]


def test_coverage_is_in_percent(parallel):
    (axes,) = plot_coverage(parallel).axes
    assert "(%)" in axes.get_xlabel()
    assert [label.get_text() for label in axes.get_yticklabels()] == ["seed"]
    first = np.concatenate([c.get_offsets()[:, 0] for c in axes.collections])
    np.testing.assert_allclose(first, 87.5)


def test_arms_keep_their_colour(parallel):
    looks, treatments = make_looks(parallel.protocol, ("control", "treated"))
    assert looks["control"].colour == treatments["placebo"].colour
    assert looks["treated"].colour != looks["control"].colour
    assert looks["treated"].marker != looks["control"].marker
    figure = plot_participants(parallel, by_name(parallel, "single"))
    assert figure.axes[0]._left_title.get_color() == looks["control"].colour
    assert figure.axes[1]._left_title.get_color() == looks["treated"].colour


def test_participants_share_a_scale_and_label_it(parallel):
    question = by_name(parallel, "whole")
    figure = plot_participants(parallel, question)
    limits = {axes.get_ylim() for axes in figure.axes[:3]}
    assert len(limits) == 1
    assert figure.axes[0].get_ylabel() == question.values_label
    assert figure.axes[-1].get_ylabel() == "Effect (Fisher z)"
    assert "at the peak,\nselected" in texts(figure)
    assert "control\nn = 5" in texts(figure)


def hollow(axes):
    return [c for c in axes.collections if len(c.get_offsets()) and not len(c.get_facecolor())]


def test_participants_that_the_model_leaves_out_are_hollow_and_not_counted(parallel):
    question = by_name(parallel, "whole")
    used = frozenset(key for key in question.values if key[0] != "04" and key != ("05", "acute"))
    figure = plot_participants(parallel, dataclasses.replace(question, used=used))
    assert {"control\nn = 4", "treated\nn = 5"} <= set(texts(figure))
    left_out = sorted(value for key, value in question.values.items() if key not in used)
    drawn = np.sort(np.concatenate([c.get_offsets()[:, 1] for c in hollow(figure.axes[0])]))
    np.testing.assert_allclose(drawn, left_out)
    assert not hollow(figure.axes[1])
    means = figure.axes[0].lines[-1].get_ydata()
    people = {"before": ["01", "02", "03", "05"], "acute": ["01", "02", "03"]}
    expected = [np.mean([question.values[s, v] for s in own]) for v, own in people.items()]
    np.testing.assert_allclose(means, expected)


def test_a_session_that_the_model_does_not_look_at_is_drawn_of_its_participants(parallel):
    question = by_name(parallel, "whole")
    used = frozenset((s, v) for s, v in question.values if v == "acute" and s != "04")
    figure = plot_participants(parallel, dataclasses.replace(question, used=used))
    assert "control\nn = 4" in texts(figure)
    assert np.isfinite(figure.axes[0].lines[-1].get_ydata()).all()
    assert sum(len(c.get_offsets()) for c in hollow(figure.axes[0])) == 2


def test_crossover_counts_who_is_in_the_model(crossover):
    question = crossover.questions[0]
    used = frozenset(key for key in question.values if key[0] != "03")
    figure = plot_participants(crossover, dataclasses.replace(question, used=used))
    assert {"Placebo\n(n = 7)", "Within-person differences (n = 7)"} <= set(texts(figure))
    assert [len(c.get_offsets()) for c in hollow(figure.axes[0])] == [1, 1]


def test_participants_without_a_peak_or_a_value(parallel):
    question = by_name(parallel, "refused")
    figure = plot_participants(
        parallel, dataclasses.replace(question, values={("01", "acute"): math.nan})
    )
    assert len(figure.axes) == 2


def test_crossover_draws_the_differences(crossover):
    figure = plot_participants(crossover, crossover.questions[0])
    found = texts(figure)
    assert "Placebo\n(n = 8)" in found
    assert "Within-person differences (n = 8)" in found
    differences = figure.axes[1].collections[0].get_offsets()[:, 1]
    np.testing.assert_allclose(differences, 0.25)
    assert figure.axes[1].get_ylabel() == "Difference (Fisher z)"


def outlines(figure):
    return [c for axes in figure.axes for c in axes.collections if isinstance(c, ContourSet)]


def test_map_outlines_what_passes_and_says_what_t_is(parallel):
    question = by_name(parallel, "whole")
    figure = plot_statistic_map(parallel, question)
    found = texts(figure)
    assert "Found: 1 voxel" in found
    assert "Through the strongest voxel found" in found
    assert "t (df = 5); outline and black mark: p (FWE) ≤ 0.05, |t| ≥ 4.50" in found
    assert "z = 6 mm" in found
    assert {"L", "R"} <= set(found)
    assert len(outlines(figure)) >= 3


def test_what_is_found_is_decided_by_p_alone(parallel):
    question = by_name(parallel, "whole")
    claim = dataclasses.replace(
        question.claim, method="cluster_mass", statistic="v", df=17.25, threshold=31.0
    )
    p_map = np.where(np.isnan(question.t_map), np.nan, 0.9)
    p_map[9:12, 10, 9] = np.float32(0.05)  # a little above 0.05
    changed = dataclasses.replace(question, claim=claim, p_map=p_map)
    figure = plot_statistic_map(parallel, changed)
    found = texts(figure)
    assert "Found: 3 voxels" in found
    assert "v (df = 17.2); outline: clusters whose mass has p (FWE) ≤ 0.05" in found
    assert list(figure.axes[-1].lines) == []
    assert "Found: no voxel" in texts(
        plot_statistic_map(parallel, dataclasses.replace(changed, p_map=p_map + 0.01))
    )


def test_outline_follows_the_edges_of_voxels(parallel):
    question = by_name(parallel, "whole")
    p_map = np.where(np.isnan(question.t_map), np.nan, 0.9)
    p_map[9:11, 10:13, 9] = 0.01
    figure = plot_statistic_map(parallel, dataclasses.replace(question, p_map=p_map))
    axial = next(a for a in figure.axes if a.texts and a.texts[0].get_text() == "z = 6 mm")
    (outline,) = [c for c in axial.collections if isinstance(c, ContourSet)]
    corners = np.concatenate([path.vertices for path in outline.get_paths()])
    low, high = corners.min(axis=0), corners.max(axis=0)
    np.testing.assert_allclose((low, high), ([-2, -2], [6, 10]), atol=0.5)


def test_map_without_threshold_or_peaks(parallel):
    question = by_name(parallel, "whole")
    claim = dataclasses.replace(question.claim, threshold=math.inf, peaks=(), df=math.nan)
    p_map = np.where(np.isnan(question.t_map), np.nan, 0.9)
    changed = dataclasses.replace(question, claim=claim, p_map=p_map)
    found = texts(plot_statistic_map(parallel, changed))
    assert "t; no threshold" in found
    assert "Through the strongest voxel" in found
    assert "x = 0 mm" in found


def test_map_on_the_template(parallel):
    protocol = parallel.protocol.model_copy(update={"space": "MNI152NLin2009cAsym"})
    content = dataclasses.replace(parallel, protocol=protocol)
    figure = plot_statistic_map(content, by_name(content, "whole"))
    assert figure.axes[0].images[0].get_array().shape == (189, 233)
    (outlines,) = figure.axes[3].collections
    corners = [path.get_extents() for path in outlines.get_paths()]
    assert len(corners) > 10
    assert max(box.x1 for box in corners) == pytest.approx(75, abs=15)  # mm, in front


def test_no_map_is_refused(parallel):
    with pytest.raises(OutputError, match="no map to draw"):
        plot_statistic_map(parallel, by_name(parallel, "single"))
    without_p = dataclasses.replace(by_name(parallel, "whole"), p_map=None)
    with pytest.raises(OutputError, match="none"):
        plot_statistic_map(parallel, without_p)


def test_edges_become_a_matrix(parallel):
    question = by_name(parallel, "network")
    figure = plot_outcomes(parallel, question)
    axes = figure.axes[0]
    drawn = axes.collections[0].get_array().reshape(10, 10)
    assert drawn.count() == 45
    assert drawn[9, 8] == pytest.approx(5.5)
    assert np.ma.is_masked(drawn[8, 9])
    assert [len(rings.get_offsets()) for rings in axes.collections[1:]] == [1, 1]
    assert figure.axes[1].get_ylabel() == "t (df = 5)"
    assert len(figure.axes[1].lines) == 2


def test_components_have_no_mark_on_the_scale(parallel):
    question = by_name(parallel, "network")
    claim = dataclasses.replace(question.claim, method="cluster_extent", threshold=5.0)
    figure = plot_outcomes(parallel, dataclasses.replace(question, claim=claim))
    assert list(figure.axes[1].lines) == []


@pytest.mark.parametrize(("count", "axis"), [(12, "x"), (100, "y")])
def test_parcels_become_lines_or_dots(parallel, count, axis):
    question = dataclasses.replace(
        by_name(parallel, "network"),
        t_values=tuple(float(t) for t in np.linspace(-5, 5, count)),
        p_values=tuple(0.01 if t < -4.4 else 0.5 for t in np.linspace(-5, 5, count)),
        names=tuple(f"parcel {number}" for number in range(count)),
    )
    figure = plot_outcomes(parallel, question)
    label = figure.axes[0].get_xlabel() if axis == "x" else figure.axes[0].get_ylabel()
    assert label == "t (df = 5)"
    assert "parcel 0" in texts(figure)


def test_axis_names_no_df_where_outcomes_have_their_own(parallel):
    question = by_name(parallel, "network")
    own = (19.1, *[16.7] * (len(question.claim.peaks) - 1))
    named = [text for text in texts(plot_outcomes(parallel, question)) if "df" in text]
    several = dataclasses.replace(question, peak_df=own)
    assert named == ["t (df = 5)"]
    assert not [text for text in texts(plot_outcomes(parallel, several)) if "df" in text]


def test_outcomes_without_names_are_refused(parallel):
    with pytest.raises(OutputError, match="45 statistics, 0 names and 45 p-values"):
        plot_outcomes(parallel, dataclasses.replace(by_name(parallel, "network"), names=()))


@pytest.mark.parametrize("dpi", [72, 110, 150, 300])
def test_layout_leaves_room_for_labels_as_wide_as_they_are_drawn(dpi: int) -> None:
    with mpl.rc_context(STYLE):
        figure = new_figure(10.0, 3.0)
        axes = figure.add_subplot()
        axes.set_yticks([0, 1], ["mid_posterior_cingulate", "x"])
        data_uri(figure, "png", dpi=dpi)
        figure.set_dpi(dpi)
        renderer = FigureCanvasAgg(figure).get_renderer()
        left = axes.get_yticklabels()[0].get_window_extent(renderer).x0 / dpi
    assert left == pytest.approx(3 / 72, abs=0.02)  # the margin of the layout, in inches
