"""How often each verdict on a blockade is said, by truth, size of the trial and margin.

    python benchmarks/blockade_verdicts.py [--tables | --figure]

Trials of three arms are simulated (every number is of simulated data): arm means and residual
variance are drawn from their exact distribution for a linear model with one covariate. Results go
to ``benchmarks/results/blockade_verdicts.json``, and from there into the tables of
``docs/blockade.md`` and its figure; ``--tables`` and ``--figure`` do these steps alone.
"""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from run import describe_commit

from phmri.group import JointEstimate
from phmri.group.blockade import KINDS, VERDICTS, attenuation, judge_blockade

mpl.use("agg")
HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "blockade_verdicts.json"
DOC = HERE.parent / "docs" / "blockade.md"
FIGURE = HERE.parent / "docs" / "figures" / "blockade.png"

N_TRIALS, ALPHA, SEED = 100_000, 0.05, 20
SIZES = (15, 25, 50, 100)
MARGINS = (0.5, 0.3, None)
# Words, drug effect and what remains of it, in residual standard deviations.
TRUTHS = (
    ("fully blocked", 1.0, 0.0),
    ("half blocked", 1.0, 0.5),
    ("not blocked", 1.0, 1.0),
    ("weak effect, fully blocked", 0.5, 0.0),
    ("weak effect, half blocked", 0.5, 0.25),
    ("weak effect, not blocked", 0.5, 0.5),
    ("no drug effect", 0.0, 0.0),
)
L = np.array([[-1.0, 1.0, 0.0], [-1.0, 0.0, 1.0], [0.0, 1.0, -1.0]])
COLOURS = ("0.85", "#D55E00", "#F0E442", "#009E73")


def simulate(n, drug, remaining, rng):
    df = 3.0 * n - 4.0
    means = np.array([0.0, drug, remaining])[:, None]
    means = means + rng.standard_normal((3, N_TRIALS)) / np.sqrt(n)
    variance = rng.chisquare(df, N_TRIALS) / df
    return JointEstimate(
        names=("drug", "pretreated", "difference"),
        effect=L @ means,
        covariance=variance[:, None, None] * (L @ L.T) / n,
        df=np.full((3, N_TRIALS), df),
        status=np.zeros(N_TRIALS, np.uint8),
    )


def frequencies():
    rows = []
    for k, (truth, drug, remaining) in enumerate(TRUTHS):
        for n in SIZES:
            joint = simulate(n, drug, remaining, np.random.default_rng([SEED, 1, k, n]))
            for margin in MARGINS:
                found = judge_blockade(joint, margin=margin, alpha=ALPHA)
                usual = (found.drug.pvalue <= ALPHA) & (found.pretreated.pvalue > ALPHA)
                shares = np.bincount(found.verdict, minlength=len(VERDICTS)) / N_TRIALS
                rows.append(
                    {
                        "truth": truth,
                        "drug": drug,
                        "remaining": remaining,
                        "n_per_arm": n,
                        "margin": margin,
                        "usual_reading": float(usual.mean()),
                        **dict(zip(VERDICTS, shares.tolist(), strict=True)),
                    }
                )
    return rows


def worst_cases():
    """Rates of false claims where they are as frequent as the truth allows."""
    rows = []
    n = 25
    for claim, effects in (
        ("blocked", lambda strength, margin: (strength, margin)),
        ("not blocked", lambda strength, margin: (strength, strength - margin)),
    ):
        for strength in (0.5, 1.0, 2.0, 4.0):
            for margin in (0.3, 0.5, 1.0):
                rng = np.random.default_rng([SEED, 2, len(rows)])
                joint = simulate(n, *effects(strength, margin), rng)
                found = judge_blockade(joint, margin=margin, alpha=ALPHA)
                rows.append(_claim(claim, strength, margin, found, (claim,)))
    for strength in (0.0, 0.5, 1.0, 4.0):
        joint = simulate(n, strength, strength, np.random.default_rng([SEED, 3, len(rows)]))
        found = judge_blockade(joint, margin=0.3, alpha=ALPHA)
        rows.append(
            _claim("blocked, even in part", strength, 0.3, found, ("blocked", "partly blocked"))
        )
    return rows


def _claim(claim, strength, margin, found, verdicts):
    said = np.isin(found.verdict, [VERDICTS.index(v) for v in verdicts])
    return {"claim": claim, "drug": strength, "margin": margin, "rate": float(said.mean())}


def coverage():
    rows = []
    n = 25
    for strength in (2.0, 3.0, 4.0, 8.0):
        for removed in (0.0, 50.0, 100.0):
            drug = strength * np.sqrt(2.0 / n)
            rng = np.random.default_rng([SEED, 4, len(rows)])
            found = attenuation(simulate(n, drug, drug * (1.0 - removed / 100.0), rng), 0.95)
            gap = (removed > found.low) & (removed < found.high)
            inside = np.where(found.kind == KINDS.index("complement"), ~gap, gap)
            rows.append(
                {
                    "t": strength,
                    "removed": removed,
                    "covered": float(inside.mean()),
                    "bounded": float((found.kind == KINDS.index("bounded")).mean()),
                    "headline": float((found.g < 0.5).mean()),
                }
            )
    return rows


def write_tables(result):
    """Put the numbers into the docs, between their marks."""
    rows = {(r["truth"], r["n_per_arm"], r["margin"]): r for r in result["frequencies"]}
    order = VERDICTS[::-1]
    verdicts, usual = [], []
    for truth, drug, remaining in TRUTHS:
        for margin in MARGINS:
            each = [rows[truth, n, margin] for n in SIZES]
            cells = [" / ".join(f"{100 * r[v]:.0f}" for v in order) for r in each]
            words = "none" if margin is None else f"{margin:g}"
            verdicts.append([truth, f"{drug:g}, {remaining:g}", words, *cells])
        usual.append(
            [truth, *(f"{100 * rows[truth, n, None]['usual_reading']:.0f} %" for n in SIZES)]
        )
    errors = []
    for claim in ("blocked", "not blocked", "blocked, even in part"):
        cases = [r for r in result["errors"] if r["claim"] == claim]
        worst = max(cases, key=lambda r: r["rate"])
        errors.append(
            [
                f"“{claim}”",
                {
                    "blocked": "what remains equals the margin",
                    "not blocked": "what was removed equals the margin",
                }.get(claim, "nothing was removed"),
                str(len(cases)),
                f"{100 * worst['rate']:.2f} %",
            ]
        )
    cover = [
        [
            f"{t:g}",
            " / ".join(f"{100 * r['covered']:.1f}" for r in found),
            f"{100 * found[1]['bounded']:.0f} %",
            f"{100 * found[1]['headline']:.0f} %",
        ]
        for t in (2.0, 3.0, 4.0, 8.0)
        for found in [[r for r in result["coverage"] if r["t"] == t]]
    ]
    sizes = [f"{n} per arm" for n in SIZES]
    text = DOC.read_text()
    for name, lines in (
        ("verdicts", _table(["truth", "effect, remaining (SD)", "margin (SD)", *sizes], verdicts)),
        ("usual", _table(["truth", *sizes], usual)),
        ("errors", _table(["claim", "truth", "cases", "said at most"], errors)),
        (
            "coverage",
            _table(
                [
                    "effect over its SE",
                    "95 % set covers, truth 0 / 50 / 100 % removed",
                    "set bounded",
                    "g below 0.5",
                ],
                cover,
            ),
        ),
    ):
        start, stop = f"<!-- {name} -->\n", f"<!-- end {name} -->"
        before, rest = text.split(start)
        text = before + start + "\n".join(lines) + "\n" + stop + rest.split(stop)[1]
    DOC.write_text(text)


def _table(head, rows):
    return [
        f"| {' | '.join(head)} |",
        "|" + "---|" * len(head),
        *(f"| {' | '.join(row)} |" for row in rows),
    ]


def draw(result):
    """Stack the verdicts, and mark how often the usual reading would say "blocked"."""
    rows = {(r["truth"], r["n_per_arm"], r["margin"]): r for r in result["frequencies"]}
    shown = [TRUTHS[k][0] for k in (0, 1, 2, 4, 6)]
    style = {"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    with mpl.rc_context(style):
        figure = Figure(figsize=(11, 5.2), layout="constrained")
        axes = figure.subplots(2, len(shown), sharex=True, sharey=True)
        places = np.arange(len(SIZES))
        for line, margin in zip(axes, MARGINS[:2], strict=True):
            for axis, truth in zip(line, shown, strict=True):
                each = [rows[truth, n, margin] for n in SIZES]
                bottom = np.zeros(len(SIZES))
                for verdict in VERDICTS[::-1]:
                    height = np.array([100 * r[verdict] for r in each])
                    colour = COLOURS[VERDICTS.index(verdict)]
                    axis.bar(places, height, 0.8, bottom, color=colour, label=verdict)
                    bottom += height
                axis.plot(
                    places,
                    [100 * r["usual_reading"] for r in each],
                    "kx",
                    ms=6,
                    mew=1.5,
                    label="significant without, not significant with pretreatment",
                )
            line[0].set(ylabel=f"% of trials, margin {margin:g} SD", ylim=(0, 100))
        for axis, truth in zip(axes[0], shown, strict=True):
            axis.set_title(truth.replace(", ", ",\n"), fontsize=9)
        for axis in axes[1]:
            axis.set(xticks=places, xlabel="participants per arm")
            axis.set_xticklabels([str(n) for n in SIZES])
        figure.legend(
            *axes[0, 0].get_legend_handles_labels(),
            ncols=5,
            frameon=False,
            loc="outside lower center",
        )
        FIGURE.parent.mkdir(exist_ok=True)
        figure.savefig(FIGURE, dpi=130)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", action="store_true")
    parser.add_argument("--figure", action="store_true")
    asked = parser.parse_args()
    if not (asked.tables or asked.figure):
        result = {
            "simulated": True,
            "n_trials": N_TRIALS,
            "alpha": ALPHA,
            "frequencies": frequencies(),
            "errors": worst_cases(),
            "coverage": coverage(),
            "commit": describe_commit(),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        RESULT.write_text(json.dumps(result, indent=1) + "\n")
    result = json.loads(RESULT.read_text())
    if not asked.figure:
        write_tables(result)
    if not asked.tables:
        draw(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
