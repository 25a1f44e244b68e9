"""Motion, signal and coverage of every run, by arm and session."""

import math
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from phmri.report._records import ReportContent, RunContent
from phmri.report._style import FAINT, INK, MUTED, STYLE, Look, finish, make_looks, new_figure
from phmri.report._trial import group_order, run_group, session_order

__all__ = [
    "QualityRow",
    "covered_regions",
    "plot_coverage",
    "plot_quality",
    "quality_rows",
    "spread",
]

_METRICS = (
    ("mean_fd_mm", "Mean framewise\ndisplacement (mm)"),
    ("tsnr_median", "Temporal SNR\n(median in mask)"),
    ("df", "Degrees of freedom\nleft by cleaning"),
    ("n_censored", "Censored volumes\n(% of run)"),
)
_DODGE = 0.78
_MOST_PARCELS = 30
_WIDEST = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class QualityRow:
    """Means of one arm in one session and scan.

    Parameters
    ----------
    scan, session, group : str
    n_used, n_left_out, n_missing : int
        Runs that are used, runs that exist and are not, and runs that do not exist.
    mean_fd_mm, sd_fd_mm, mean_std_dvars, mean_tsnr, mean_df, mean_censored : float
        Over used runs, NaN where unknown; the last in percent of the run's volumes.
    """

    scan: str
    session: str
    group: str
    n_used: int
    n_left_out: int
    n_missing: int
    mean_fd_mm: float
    sd_fd_mm: float
    mean_std_dvars: float
    mean_tsnr: float
    mean_df: float
    mean_censored: float


def _value(run: RunContent, metric: str) -> float:
    if metric == "n_censored":
        return 100 * run.n_censored / run.n_volumes if run.n_volumes else math.nan
    return float(getattr(run, metric))


def _finite(values: list[float]) -> list[float]:
    return [value for value in values if math.isfinite(value)]


def _mean(values: list[float]) -> float:
    kept = _finite(values)
    return float(np.mean(kept)) if kept else math.nan


def quality_rows(content: ReportContent) -> tuple[QualityRow, ...]:
    """Average the quality of used runs per scan, session and arm.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.

    Returns
    -------
    tuple of QualityRow
    """
    rows = []
    lacking = {
        (cell.subject, cell.session, cell.scan)
        for cell in content.check.cells
        if cell.status == "missing"
    }
    for scan, session, group in _combinations(content):
        runs = [
            run
            for run in content.runs
            if (run.scan, run.session, run_group(content, run)) == (scan, session, group)
        ]
        used = [run for run in runs if run.used]
        if not runs:
            continue
        n_missing = sum((run.subject, run.session, run.scan) in lacking for run in runs)
        displacement = _finite([run.mean_fd_mm for run in used])
        rows.append(
            QualityRow(
                scan=scan,
                session=session,
                group=group,
                n_used=len(used),
                n_left_out=len(runs) - len(used) - n_missing,
                n_missing=n_missing,
                mean_fd_mm=_mean(displacement),
                sd_fd_mm=float(np.std(displacement, ddof=1))
                if len(displacement) > 1
                else math.nan,
                mean_std_dvars=_mean([run.mean_std_dvars for run in used]),
                mean_tsnr=_mean([run.tsnr_median for run in used]),
                mean_df=_mean([run.df for run in used]),
                mean_censored=_mean([_value(run, "n_censored") for run in used]),
            )
        )
    return tuple(rows)


def _combinations(content: ReportContent) -> list[tuple[str, str, str]]:
    return [
        (scan, session, group)
        for scan in content.protocol.scans
        for session in session_order(content)
        for group in group_order(content)
    ]


def spread(count: int) -> list[float]:
    """Spread points sideways without chance: the van der Corput sequence, centred.

    Parameters
    ----------
    count : int

    Returns
    -------
    list of float
        In (-0.5, 0.5).
    """
    places = []
    for number in range(1, count + 1):
        place, step, rest = 0.0, 0.5, number
        while rest:
            place += step * (rest % 2)
            rest //= 2
            step /= 2
        places.append(place - 0.5)
    return places


@mpl.rc_context(STYLE)
def plot_quality(content: ReportContent) -> Figure:
    """Draw the quality of every run: one row per quantity, one column per scan.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.

    Returns
    -------
    Figure
        Dots are runs (hollow: left out), bars span the middle half, ticks mark the median; both
        over used runs.
    """
    scans = [scan for scan in content.protocol.scans if any(r.scan == scan for r in content.runs)]
    metrics = [
        (name, label)
        for name, label in _METRICS
        if any(_finite([_value(run, name) for run in content.runs]))
    ]
    groups = group_order(content)
    looks, _ = make_looks(content.protocol, groups)
    figure = new_figure(10.0, 0.5 + 1.75 * max(len(metrics), 1))
    if not scans or not metrics:
        axes = figure.add_subplot()
        axes.set_axis_off()
        axes.text(0.5, 0.5, "No quality measures are known for these runs.", ha="center")
        return finish(figure, simulated=content.simulated)
    grid = figure.subplots(len(metrics), len(scans), squeeze=False, sharey="row", sharex="col")
    for row, (metric, label) in enumerate(metrics):
        for column, scan in enumerate(scans):
            axes = grid[row, column]
            runs = [run for run in content.runs if run.scan == scan]
            _draw_metric(axes, runs, metric, content=content, looks=looks)
            if row == 0:
                axes.set_title(scan, pad=5)
            if column == 0:
                axes.set_ylabel(label)
            if row + 1 == len(metrics):
                axes.set_xlabel("Session")
        if metric in {"mean_fd_mm", "n_censored"}:
            grid[row, 0].set_ylim(bottom=0)
    limit = content.protocol.exclusions.max_mean_fd_mm
    if limit is not None and metrics[0][0] == "mean_fd_mm":
        for axes in grid[0]:
            axes.axhline(limit, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
    handles = [
        _handle(looks[group], f"{group} (n = {_n_subjects(content, group)})")
        for group in groups
        if _n_subjects(content, group)
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=5)
    return finish(figure, simulated=content.simulated, beside_legend=True)


def _n_subjects(content: ReportContent, group: str) -> int:
    return len(
        {run.subject for run in content.runs if run.used and run_group(content, run) == group}
    )


def _handle(look: Look, label: str) -> Line2D:
    return Line2D(
        [], [], linestyle="none", marker=look.marker, color=look.colour, markersize=5, label=label
    )


def _draw_metric(
    axes: Axes,
    runs: list[RunContent],
    metric: str,
    *,
    content: ReportContent,
    looks: dict[str, Look],
) -> None:
    sessions = [s for s in session_order(content) if any(run.session == s for run in runs)]
    groups = [g for g in looks if any(run_group(content, run) == g for run in runs)]
    width = min(_WIDEST, _DODGE / max(len(groups), 1))
    for place, session in enumerate(sessions):
        if place:
            axes.axvline(place - 0.5, color=FAINT, linewidth=0.7)
        for index, group in enumerate(groups):
            own = [r for r in runs if r.session == session and run_group(content, r) == group]
            x = place + (index - (len(groups) - 1) / 2) * width
            _draw_dots(axes, x, own, metric, look=looks[group], width=width)
    axes.set_xticks(range(len(sessions)), sessions)
    axes.set_xlim(-0.5, max(len(sessions), 1) - 0.5)
    axes.tick_params(axis="x", length=0)
    axes.grid(axis="y", color=FAINT, linewidth=0.5)


def _draw_dots(
    axes: Axes, x: float, runs: list[RunContent], metric: str, *, look: Look, width: float
) -> None:
    shifts = spread(len(runs))
    for used in (True, False):
        points = [
            (x + shift * width * 0.6, _value(run, metric))
            for shift, run in zip(shifts, runs, strict=True)
            if run.used is used and math.isfinite(_value(run, metric))
        ]
        if not points:
            continue
        xs, ys = zip(*points, strict=True)
        axes.scatter(
            xs,
            ys,
            s=9,
            marker=look.marker,
            facecolor=look.colour if used else "none",
            edgecolor="none" if used else look.colour,
            linewidth=0.8,
            alpha=0.5 if used else 1,
        )
        if used:
            low, middle, high = np.quantile(ys, (0.25, 0.5, 0.75))
            axes.plot([x, x], [low, high], color=look.colour, linewidth=2.6, alpha=0.9)
            axes.plot(
                [x - width * 0.22, x + width * 0.22], [middle, middle], color=INK, linewidth=1.4
            )


def covered_regions(content: ReportContent) -> list[str]:
    """List the regions whose coverage is drawn: all regions, and the parcels that lack most.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.

    Returns
    -------
    list of str
        In the order of the runs; at most 30 parcels.
    """
    least: dict[str, float] = {}
    for run in content.runs:
        for name, value in run.region_coverage.items():
            least[name] = min(least.get(name, math.inf), value)
    named = {region.name for region in content.regions}
    parcels = sorted((name for name in least if name not in named), key=least.__getitem__)
    kept = named | set(parcels[:_MOST_PARCELS])
    return [name for name in least if name in kept]


@mpl.rc_context(STYLE)
def plot_coverage(content: ReportContent) -> Figure:
    """Draw how much of each region carries signal, run by run.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.

    Returns
    -------
    Figure
    """
    regions = covered_regions(content)
    groups = group_order(content)
    looks, _ = make_looks(content.protocol, groups)
    figure = new_figure(10.0, 0.95 + 0.42 * max(len(regions), 1))
    axes = figure.add_subplot()
    width = min(_WIDEST, _DODGE / max(len(groups), 1))
    for place, region in enumerate(regions):
        for index, group in enumerate(groups):
            own = [
                (run, 100 * run.region_coverage[region])
                for run in content.runs
                if run_group(content, run) == group and region in run.region_coverage
            ]
            shifts = spread(len(own))
            y = place + (index - (len(groups) - 1) / 2) * width
            for used in (True, False):
                picked = [
                    (value, y + shift * width * 0.6)
                    for shift, (run, value) in zip(shifts, own, strict=True)
                    if run.used is used and math.isfinite(value)
                ]
                if picked:
                    xs, ys = zip(*picked, strict=True)
                    axes.scatter(
                        xs, ys, s=9, marker=looks[group].marker, alpha=0.5 if used else 1,
                        facecolor=looks[group].colour if used else "none",
                        edgecolor="none" if used else looks[group].colour, linewidth=0.8,
                    )  # fmt: skip
    limit = 100 * content.protocol.exclusions.min_region_coverage
    axes.axvline(limit, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.set_yticks(range(len(regions)), regions)
    axes.set(ylim=(len(regions) - 0.5, -0.5), xlim=(0, 102))
    axes.set_xlabel("Voxels of the region that carry signal (%); dashed: least allowed")
    axes.grid(axis="x", color=FAINT, linewidth=0.5)
    axes.tick_params(axis="y", length=0)
    handles = [
        _handle(looks[group], f"{group} (n = {_n_subjects(content, group)})")
        for group in groups
        if _n_subjects(content, group)
    ]
    figure.legend(handles=handles, loc="outside upper left", ncols=5)
    return finish(figure, simulated=content.simulated, beside_legend=True)
