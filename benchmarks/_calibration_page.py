"""Tables and figure of ``docs/validation.md``, from what calibration trials came to."""

from pathlib import Path

import matplotlib as mpl
from _calibration import ALPHA, ASKED, METHODS
from matplotlib.figure import Figure
from scipy import stats

mpl.use("agg")
DOCS = Path(__file__).resolve().parent.parent / "docs"
DOC = DOCS / "validation.md"
FIGURE = DOCS / "figures" / "validation.png"
BY_MODEL = ("mixed", "clda")
CONFIDENCE = 0.99
COLOURS = {"inside": "0.45", "conservative": "#0072B2", "anticonservative": "#D55E00"}


def write_tables(result: dict) -> None:
    """Put the numbers into the docs, between their marks."""
    text = DOC.read_text()
    blocks = {
        "run": _run_lines(result),
        "verdicts": _verdict_lines(result["null"]),
        "bias": _bias_lines(result),
        "places": _place_lines(result["planted"]),
    }
    for design in ASKED:
        blocks[f"null {design}"] = _rate_lines(result["null"], design)
        blocks[f"planted {design}"] = _rate_lines(result["planted"], design)
    for name, lines in blocks.items():
        start, stop = f"<!-- {name} -->\n", f"<!-- end {name} -->"
        before, rest = text.split(start)
        text = before + start + "\n".join(lines) + "\n" + stop + rest.split(stop)[1]
    DOC.write_text(text)


def _run_lines(result: dict) -> list[str]:
    rows = [
        [
            name,
            f"{item['n']} of {item['n_wanted']}",
            str(item["n_failed"]),
            f"{item['first_seed']:,} and on",
            f"{item['cpu_seconds']}",
        ]
        for name, item in result["trials"].items()
    ]
    commits = ", ".join(result["commits"])
    items = result["trials"].values()
    whole = all(item["n"] + item["n_failed"] >= item["n_wanted"] for item in items)
    preliminary = "" if whole else "**Preliminary: not all trials have been done.** "
    return [
        f"{preliminary}Summed up {result['date']}.",
        f"Commit {commits}; settings {result['settings']}.",
        "",
        *_table(["trials", "number", "failed", "seeds", "seconds each (CPU, median)"], rows),
    ]


def _verdict_lines(rows: list[dict]) -> list[str]:
    lines = []
    for verdict, words in (
        ("anticonservative", "Too often"),
        ("conservative", "Seldomer than nominal"),
    ):
        found = [row for row in rows if row["verdict"] == verdict]
        said = [_in_words(row) for row in found]
        lines.append(
            f"**{words}** ({len(said)} of {len(rows)} ways): {'; '.join(said) or 'none'}."
        )
        lines.append("")
    n_refused = sum(row["n_refused"] for row in rows)
    return [*lines, f"Refused answers: {n_refused} of {sum(r['n'] for r in rows) + n_refused}."]


def _in_words(row: dict) -> str:
    way = f"{row['design']}, {row['measure']} ({row['outcome']}) by {row['estimator']}"
    rate = f"{_percent(row['found'], row['n'])} %"
    return f"{way}, {row['method']}: {rate} ({100 * row['low']:.1f} to {100 * row['high']:.1f})"


def _rate_lines(rows: list[dict], design: str) -> list[str]:
    """Lay rates out, a line per measure and estimator, a column per method."""
    cells: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in rows:
        if row["design"] == design:
            place = (row["measure"], row["outcome"], row["estimator"])
            rate = _percent(row["found"], row["n"])
            marked = f"**{rate}**" if row.get("verdict") == "anticonservative" else rate
            cells.setdefault(place, {})[row["method"]] = marked
    names = [method.replace("_", " ") for method in METHODS]
    body = [
        [measure, outcome, estimator, *(found.get(method, "") for method in METHODS)]
        for (measure, outcome, estimator), found in cells.items()
    ]
    return _table(["measure", "of", "estimator", *names], body)


def _place_lines(rows: list[dict]) -> list[str]:
    body = [
        [
            row["design"],
            row["measure"],
            row["estimator"],
            str(row["found"]),
            "n/a" if row["median_mm"] is None else f"{row['median_mm']:.0f} mm",
            f"{_percent(row['within_16_mm'], row['found'])} %",
        ]
        for row in rows
        if row["outcome"] == "map"
        and row["method"] == ("holm" if row["estimator"] in BY_MODEL else "voxel")
    ]
    head = ["design", "map of", "estimator", "trials with a finding", "median distance"]
    return _table([*head, "within 16 mm"], body)


def _bias_lines(result: dict) -> list[str]:
    body = []
    for kind in ("null", "planted"):
        for row in result[kind]:
            if row.get("truth") is None:
                continue
            spread = stats.norm.ppf((1 + CONFIDENCE) / 2) * row["mean_se"]
            low, high = row["coverage_interval"]
            body.append(
                [
                    row["design"],
                    f"{row['measure']} ({row['outcome']})",
                    row["estimator"],
                    f"{row['truth']:g}",
                    f"{row['mean']:.3f} ± {spread:.3f}",
                    f"{_percent(row['covered'], row['n'])} ({100 * low:.1f} to {100 * high:.1f})",
                ]
            )
    head = ["design", "outcome", "estimator", "truth", "mean estimate", "95 % interval covers, %"]
    return _table(head, body)


def _percent(count: int, n: int) -> str:
    return f"{100 * count / n:.1f}" if n else "n/a"


def _table(head: list[str], rows: list[list[str]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        "|" + "---|" * len(head),
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def draw(result: dict) -> None:
    """Show every rate of false findings with its interval."""
    style = {"font.size": 8, "axes.spines.top": False, "axes.spines.right": False}
    with mpl.rc_context(style):
        figure = Figure(figsize=(11, 8), layout="constrained")
        for axis, design in zip(figure.subplots(1, len(ASKED)), ASKED, strict=True):
            rows = [row for row in result["null"] if row["design"] == design][::-1]
            for place, row in enumerate(rows):
                colour = COLOURS[row["verdict"]]
                axis.plot([100 * row["low"], 100 * row["high"]], [place] * 2, color=colour, lw=1.2)
                axis.plot(100 * row["found"] / row["n"], place, "o", color=colour, ms=3)
            axis.axvline(100 * ALPHA, color="k", lw=0.6, ls=":")
            labels = [
                f"{row['measure']} {row['outcome']}, {row['estimator']}, "
                f"{row['method'].replace('_', ' ')}"
                for row in rows
            ]
            axis.set_yticks(range(len(rows)), labels, fontsize=6)
            n = max((row["n"] for row in rows), default=0)
            axis.set(
                title=f"{design}: {n} SIMULATED trials without an effect",
                xlabel=f"trials with a finding, % ({100 * CONFIDENCE:.0f} % interval)",
                ylim=(-1, len(rows)),
            )
        FIGURE.parent.mkdir(exist_ok=True)
        figure.savefig(FIGURE, dpi=130)
