"""What models of the infusion response find in simulated runs: bias, coverage, false alarms.

    python benchmarks/infusion_models.py [--tables | --figure]

Runs of 30 min (TR 2 s, 5 min before the infusion) are simulated with noise of the colour of a
measured run, drift, and motion-like nuisance; every number is of simulated data. Results go to
``benchmarks/results/infusion_models.json``, and from there into the tables of
``docs/infusion.md``; ``--tables`` does the second step alone, ``--figure`` draws the figure.
The measured run is read from ``../shared/data`` where that is; else the colour is that of the
results at hand.
"""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt
from run import describe_commit
from scipy import signal, stats

from phmri.firstlevel import task_regressors
from phmri.firstlevel.glm import Contrast, GivenNoise, Noise, fit_glm
from phmri.firstlevel.infusion._bins import bin_edges, boxcars
from phmri.firstlevel.infusion._curves import gamma_variate
from phmri.firstlevel.infusion._design import infusion_design
from phmri.firstlevel.infusion._drift import drift_columns
from phmri.firstlevel.infusion._fit import fit_infusion
from phmri.firstlevel.infusion._models import (
    Drift,
    Exposure,
    GammaVariate,
    Pseudoblock,
    Ramp,
    ResponseFamily,
    Step,
)
from phmri.firstlevel.infusion._shape import shape_maps
from phmri.pharmacokinetics import DoseInput, concentration, find_model

mpl.use("agg")
HERE = Path(__file__).resolve().parent
RESULT = HERE / "results" / "infusion_models.json"
DOC = HERE.parent / "docs" / "infusion.md"
FIGURE = HERE.parent / "docs" / "figures" / "infusion.png"
MEASURED = HERE.parents[1] / "shared" / "data" / "real" / "studyforrest-oneback"

T_R, N_VOLUMES, BASELINE_MIN, END_MIN = 2.0, 900, 5.0, 25.0
TIMES = -BASELINE_MIN + (np.arange(N_VOLUMES) + 0.5) * T_R / 60.0
AFTER = TIMES >= 0.0
N_RUNS, N_VOXELS = 60, 120
N_CLASSES = 10  # of voxels, by colour
CLASS = np.arange(N_VOXELS) % N_CLASSES
AMPLITUDE = 1.0  # % signal change at the peak
SLOPE, BEND = 0.03, 0.03  # % per min, SD over voxels; % at the run's end, of a parabola
MOTION = 0.3  # % per standard deviation of a motion column
N_GROUPS, N_PEOPLE, ALPHA = 40, 16, 0.05
N_SHAPES, SHAPE_LEVEL = 1000, 0.001
NOISES = {
    "white": Noise(kind="white"),
    "AR(1)": Noise(kind="ar"),
    "AR(3), shrunk": Noise(kind="ar", order=3, shrink=True),
    "AR(6), shrunk": Noise(kind="ar", order=6, shrink=True),
    "ARMA(1,1)": Noise(kind="arma11"),
    "ARMA(1,1), averaged": Noise(kind="arma11", shrink=True),
    "ARMA(1,1) per class": Noise(kind="arma11", scope="group"),
}
BEST, KNOWN = "ARMA(1,1), averaged", "the true one, known"
LINE, FLAT, BEFORE = Drift(order=1), Drift(order=0), Drift(order=1, source="baseline")
ALL, EARLY, LATE = (0.0, END_MIN), (1.0, 6.0), (15.0, END_MIN)


def exposure(name):
    """The bolus and infusion of deakin2008, 70 kg, ng/mL."""
    doses = (
        DoseInput(route="intravenous", amount_mg=0.26 * 70, start_min=0.0, duration_min=1.0),
        DoseInput(
            route="intravenous", amount_mg=0.25 * 70 * 59 / 60, start_min=1.0, duration_min=59.0
        ),
    )
    found = np.zeros(N_VOLUMES)
    found[AFTER] = concentration(find_model(name), doses, TIMES[AFTER], weight_kg=70.0)
    return found


def planted_curves():
    kamp, domino = exposure("kamp"), exposure("domino")
    delayed = np.interp(TIMES - 1.0, TIMES, kamp, left=0.0)
    curves = {
        "fast fall": -gamma_variate(TIMES, 0.5, 2.5, 1.0),
        "slow rise": np.where(AFTER, 1.0 - np.exp(-np.maximum(TIMES, 0.0) / 6.0), 0.0),
        "plasma (Kamp)": kamp / kamp.max(),
        "plasma (Domino)": domino / domino.max(),
        "plasma (Kamp), 60 s late": delayed / delayed.max(),
        "step": AFTER.astype(float),
        "step, 60 s late": (TIMES >= 1.0).astype(float),
        "ramp": np.clip(TIMES / END_MIN, 0.0, 1.0),
        "gamma variate": gamma_variate(TIMES, 0.0, 4.0, 1.5),
        "nothing": np.zeros(N_VOLUMES),
    }
    inside = boxcars(TIMES, bin_edges(END_MIN, 1.0)[0])
    for what in ("fast fall", "slow rise"):
        curves[f"{what}, level in bins"] = inside @ (inside.T @ curves[what] / inside.sum(axis=0))
    return curves


FAMILY = ResponseFamily(onset_min=(0.0, 2.0), delay_min=(1.0, 15.0), shape=(1.0, 4.0))
GAMMA = GammaVariate(peak_min=4.0, shape=1.5)

# What is planted, the model fitted, its drift, the planted drift's order, the window compared.
HOLDS = [
    ("fast fall, level in bins", Pseudoblock(window_min=EARLY), FLAT, 0, EARLY),
    ("fast fall, level in bins", Pseudoblock(window_min=EARLY), LINE, 1, EARLY),
    ("fast fall, level in bins", Pseudoblock(window_min=EARLY), BEFORE, 1, EARLY),
    ("slow rise, level in bins", Pseudoblock(), FLAT, 0, ALL),
    ("slow rise, level in bins", Pseudoblock(), LINE, 1, ALL),
    ("slow rise, level in bins", Pseudoblock(), BEFORE, 1, ALL),
    ("plasma (Kamp)", Exposure(), FLAT, 0, ALL),
    ("plasma (Kamp)", Exposure(), LINE, 1, ALL),
    ("plasma (Kamp)", Exposure(), BEFORE, 1, ALL),
    ("step", Step(), LINE, 1, ALL),
    ("ramp", Ramp(end_min=END_MIN), LINE, 1, ALL),
    ("gamma variate", GAMMA, LINE, 1, ALL),
    ("gamma variate", FAMILY, LINE, 1, "peak"),
]
FAILS = [
    ("fast fall", Pseudoblock(window_min=EARLY), FLAT, 0, EARLY),
    ("fast fall", Pseudoblock(window_min=EARLY), LINE, 1, EARLY),
    ("fast fall", Pseudoblock(window_min=EARLY), BEFORE, 1, EARLY),
    ("slow rise", Pseudoblock(), FLAT, 0, ALL),
    ("slow rise", Pseudoblock(), LINE, 1, ALL),
    ("plasma (Kamp)", Pseudoblock(), LINE, 1, ALL),
    ("plasma (Domino)", Exposure(), LINE, 1, ALL),
    ("plasma (Kamp), 60 s late", Exposure(), LINE, 1, ALL),
    ("step, 60 s late", Step(), LINE, 1, ALL),
    ("slow rise", Exposure(), LINE, 1, ALL),
    ("fast fall", Exposure(), LINE, 1, ALL),
    ("plasma (Kamp)", Step(), LINE, 1, ALL),
    ("plasma (Kamp)", Pseudoblock(window_min=EARLY), BEFORE, 1, LATE),
    ("nothing", FAMILY, LINE, 1, "peak"),
    ("nothing", Pseudoblock(), FLAT, 1, ALL),
    ("nothing", Exposure(), FLAT, 1, ALL),
    ("nothing", Pseudoblock(), BEFORE, 2, ALL),
    ("nothing", Exposure(), LINE, 2, ALL),
]


def measured_colour():
    """ARMA(1,1) of ten classes of voxels of a measured run, by correlation of neighbours."""
    if not MEASURED.is_dir():
        return json.loads(RESULT.read_text())["noise"]
    import nibabel  # noqa: PLC0415  only where the measured run is

    run = "sub-02_task-oneback_run-01"
    mask = np.asarray(nibabel.load(MEASURED / f"{run}_desc-brain_mask.nii.gz").dataobj) > 0
    Y = np.asarray(nibabel.load(MEASURED / f"{run}_bold.nii.gz").dataobj, np.float32)[mask].T
    mean = Y.mean(axis=0)
    Y = np.ascontiguousarray(Y[:, mean > np.quantile(mean, 0.25)][:, ::7])
    table = np.genfromtxt(
        MEASURED / f"{run}_events.tsv", names=True, dtype=None, encoding="utf8", delimiter="\t"
    )
    kinds = list(dict.fromkeys(table["trial_type"].tolist()))
    task, _ = task_regressors(
        table["onset"],
        table["duration"],
        table["trial_type"].tolist(),
        conditions=kinds,
        t_r=T_R,
        n_volumes=len(Y),
    )
    X = np.column_stack([np.ones(len(Y)), drift_columns(np.arange(len(Y)) * 1.0, 2), task])
    left = Y - X @ np.linalg.lstsq(X, Y, rcond=None)[0]
    lag = (left[1:] * left[:-1]).sum(axis=0) / (left**2).sum(axis=0)
    groups = np.argsort(np.argsort(lag)) * N_CLASSES // lag.size
    one = (Contrast(name="constant", weights=np.eye(X.shape[1])[:1]),)
    found = fit_glm(Y, X, one, noise=Noise(kind="arma11", scope="group"), groups=groups).noise
    first = [int(np.flatnonzero(groups == k)[0]) for k in range(N_CLASSES)]
    a, b = found["a"][first], found["b"][first]
    return {
        "source": f"{run} of studyforrest, {len(Y)} volumes of 2 s, {lag.size} voxels, unsmoothed",
        "a": np.round(a, 4).tolist(),
        "b": np.round(b, 4).tolist(),
        "lag1": np.round((a + b) * (1.0 + a * b) / (1.0 + 2.0 * a * b + b * b), 3).tolist(),
        "sd_percent": round(float(np.median(100.0 * left.std(axis=0) / Y.mean(axis=0))), 2),
    }


def simulate_noise(colour, n_voxels, rng):
    """ARMA(1,1) of unit variance, every voxel of one class; % signal change."""
    out = np.empty((N_VOLUMES, n_voxels))
    for k, (a, b) in enumerate(zip(colour["a"], colour["b"], strict=True)):
        here = np.arange(k, n_voxels, len(colour["a"]))
        shock = rng.standard_normal((N_VOLUMES + 200, here.size))
        scale = np.sqrt(1.0 + (a + b) ** 2 / (1.0 - a * a))
        out[:, here] = signal.lfilter([1.0, b], [1.0, -a], shock, axis=0)[200:] / scale
    return colour["sd_percent"] * out


def simulate_motion(rng):
    steps = rng.standard_normal((N_VOLUMES, 6))
    walk = signal.lfilter([1.0], [1.0, -0.995], steps, axis=0)
    return (walk - walk.mean(axis=0)) / walk.std(axis=0)


def simulate_drift(order, n_voxels, rng, common=0.0):
    slope = common + SLOPE * rng.standard_normal(n_voxels)
    bend = 10.0 * common + BEND * 10.0 * rng.standard_normal(n_voxels)
    line, parabola = TIMES[:, None] * slope, ((TIMES / END_MIN) ** 2)[:, None] * bend
    return (order > 0) * line + (order > 1) * parabola


def design_of(model, drift):
    given = exposure("kamp") if isinstance(model, Exposure) else None
    return infusion_design(model, TIMES, drift=drift, exposure=given, max_overlap=1.0)


def fit(Y, design, motion, noise, **settings):
    mean = np.full(Y.shape[1], 100.0)
    return fit_infusion(
        (100.0 + Y).astype(np.float32), mean, design, motion, noise=noise, **settings
    )


def window_mean(curve, window):
    return float(curve[(window[0] <= TIMES) & (window[1] > TIMES)].mean())


def single_run(colour, planted, seed):
    """Bias, spread and coverage of every model under every noise model."""
    true = GivenNoise(kind="arma11", values=np.array([colour["a"], colour["b"]])[:, CLASS])
    runs = []
    for k in range(N_RUNS):
        rng = np.random.default_rng([seed, k])
        motion = simulate_motion(rng)
        noise = simulate_noise(colour, N_VOXELS, rng)
        noise += motion @ (MOTION * rng.standard_normal((6, N_VOXELS)))
        state = rng.integers(2**31)
        drifts = [simulate_drift(o, N_VOXELS, np.random.default_rng(state)) for o in range(3)]
        runs.append((motion, noise, drifts))
    rows = []
    for part, cases in (("holds", HOLDS), ("fails", FAILS)):
        for case in cases:
            for name in _noises(part, case):
                noise = true if name == KNOWN else NOISES[name]
                rows.append(
                    {"part": part, "noise_model": name, **_row(case, noise, runs, planted)}
                )
                print(rows[-1])
    return rows


def _noises(part, case):
    if part == "fails":
        return (BEST,)
    core = isinstance(case[1], Exposure | Pseudoblock) and case[2] in (FLAT, LINE)
    return (*(tuple(NOISES) if core else (BEST, "ARMA(1,1) per class")), KNOWN)


def _row(case, noise_model, runs, planted):
    what, model, drift, order, window = case
    curve = AMPLITUDE * planted[what]
    design = design_of(model, drift)
    scale = 1.0
    if design.primary == "response":
        own = exposure("kamp") / exposure("kamp").max()
        shape = own if isinstance(model, Exposure) else design_of(model, FLAT).X[:, 0]
        scale = window_mean(shape, window)
    if window == "peak":
        edges, _ = bin_edges(END_MIN, 1.0)
        inside = boxcars(TIMES, edges)
        means = inside.T @ curve / inside.sum(axis=0)
        truth = float(means[np.abs(means).argmax()])
    else:
        truth = window_mean(curve, window)
    values, errors = [], []
    for motion, noise, drifts in runs:
        Y = noise + drifts[order] + curve[:, None]
        found = fit(Y, design, motion, noise_model, groups=CLASS)
        values.append(scale * found.values)
        errors.append(abs(scale) * np.sqrt(found.variance))
    values, errors = np.stack(values), np.stack(errors)
    covered = np.abs(values - truth) <= stats.t.ppf(0.975, found.df) * errors
    return {
        "planted": what,
        "model": model.kind,
        "window_min": list(window) if window != "peak" else "peak",
        "drift": f"{drift.order}, {drift.source}",
        "planted_drift": order,
        "overlap": design.overlap,
        "truth": truth,
        "bias": float(values.mean() - truth),
        "bias_mc": _spread(values.mean(axis=1)),
        "sd": float(values.std(ddof=1)),
        "mean_se": float(np.sqrt((errors**2).mean())),
        **_share(covered.mean(axis=1), "coverage"),
    }


def _spread(means):
    # Half the Monte-Carlo interval of a mean over runs or trials, which share their motion.
    return float(stats.t.ppf(0.975, means.size - 1) * means.std(ddof=1) / np.sqrt(means.size))


def _share(rates, name):
    mean, error = float(rates.mean()), _spread(rates)
    return {name: mean, f"{name}_mc": [mean - error, mean + error]}


def group_false_alarms(colour, seed):
    """No drug effect in 16 people: drug minus placebo, and the drug session alone."""
    models = [(Pseudoblock(), FLAT), (Pseudoblock(), LINE), (Exposure(), FLAT), (Exposure(), LINE)]
    designs = [design_of(*pair) for pair in models]
    tests = ("drug minus placebo, paired t", "drug session alone, one-sample t", "one run alone")
    rates = np.empty((N_GROUPS, len(models), len(tests)))
    for g in range(N_GROUPS):
        values, alarms = _null_group(colour, designs, np.random.default_rng([seed, g]))
        drug, placebo = values[:, 0], values[:, 1]
        rates[g, :, 0] = (stats.ttest_rel(drug, placebo, axis=1).pvalue < ALPHA).mean(axis=1)
        rates[g, :, 1] = (stats.ttest_1samp(drug, 0.0, axis=1).pvalue < ALPHA).mean(axis=1)
        rates[g, :, 2] = alarms.mean(axis=(1, 2))
    return [
        {
            "model": model.kind,
            "drift": drift.order,
            "test": test,
            **_share(rates[:, k, j], "false_alarms"),
        }
        for k, (model, drift) in enumerate(models)
        for j, test in enumerate(tests)
    ]


def _null_group(colour, designs, rng):
    # Estimates of every model, session, person and voxel; alarms of the drug sessions' own t.
    values = np.empty((len(designs), 2, N_PEOPLE, N_VOXELS))
    alarms = np.empty((len(designs), N_PEOPLE, N_VOXELS), bool)
    for person in range(N_PEOPLE):
        for session in range(2):
            motion = simulate_motion(rng)
            Y = simulate_noise(colour, N_VOXELS, rng)
            Y += simulate_drift(2, N_VOXELS, rng, common=SLOPE / 2.0)
            Y += motion @ (MOTION * rng.standard_normal((6, N_VOXELS)))
            for k, design in enumerate(designs):
                one = fit(Y, design, motion, NOISES["AR(1)"])
                values[k, session, person] = one.values
                t = np.abs(one.values) / np.sqrt(one.variance)
                if session == 0:
                    alarms[k, person] = t > stats.t.ppf(1.0 - ALPHA / 2.0, one.df)
    return values, alarms


def shapes(colour, planted, seed):
    """How sure time to peak, duration and onset are."""
    rows = []
    edges, _ = bin_edges(END_MIN, 1.0)
    inside = boxcars(TIMES, edges)
    for what in ("fast fall", "slow rise", "gamma variate"):
        for sd, words in ((1.0, "a voxel"), (0.25, "a region, a quarter of the noise")):
            rng = np.random.default_rng(seed)
            motion = simulate_motion(rng)
            Y = sd * simulate_noise(colour, N_SHAPES, rng) + AMPLITUDE * planted[what][:, None]
            one = fit(
                Y, design_of(Pseudoblock(), FLAT), motion, NOISES[BEST], shape_level=SHAPE_LEVEL
            )
            course = (inside.T @ planted[what] / inside.sum(axis=0))[:, None]
            truth = shape_maps(course, edges, np.ones(1, bool))
            for name, true in truth.items():
                told = one.extras[name][np.isfinite(one.extras[name])]
                rows.append(
                    {
                        "planted": what,
                        "noise": words,
                        "map": name,
                        "told": told.size / N_SHAPES,
                        "truth": float(true[0]),
                        "median": float(np.median(told)) if told.size else None,
                        "quartiles": np.quantile(told, [0.25, 0.75]).tolist()
                        if told.size
                        else None,
                    }
                )
    return rows


def write_tables(result):
    """Put the numbers into the docs, between their marks."""
    text = DOC.read_text()
    holds = [_single(r) for r in result["single_run"] if r["part"] == "holds"]
    fails = [_single(r) for r in result["single_run"] if r["part"] == "fails"]
    head = [
        "planted", "model (drift)", "compared", "overlap", "noise model", "truth", "bias", "SD",
        "mean SE", "95 % interval covers",
    ]  # fmt: skip
    group = [
        [r["model"], str(r["drift"]), r["test"], _percent(r, "false_alarms")]
        for r in result["group"]
    ]
    shape = [
        [
            r["planted"], r["noise"], r["map"], f"{100 * r['told']:.0f} %", f"{r['truth']:.1f}",
            "" if r["median"] is None
            else f"{r['median']:.1f} ({r['quartiles'][0]:.1f} to {r['quartiles'][1]:.1f})",
        ]
        for r in result["shapes"]
    ]  # fmt: skip
    colour = result["noise"]
    words = (
        f"Colour: {colour['source']}; ARMA(1,1) of {len(colour['a'])} classes of voxels: a "
        f"{', '.join(f'{x:.2f}' for x in colour['a'])}; correlation of neighbouring volumes "
        f"{', '.join(f'{x:.2f}' for x in colour['lag1'])}; median SD {colour['sd_percent']} %."
    )
    for name, lines in (
        ("noise", [words]),
        ("holds", _table(head, holds)),
        ("fails", _table(head, fails)),
        ("group", _table(["model", "drift order", "test", "false alarms at 5 %"], group)),
        (
            "shape",
            _table(
                ["planted", "noise", "map", "told", "truth (min)", "median (quartiles)"], shape
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


def _percent(row, name):
    low, high = row[f"{name}_mc"]
    return f"{100 * row[name]:.1f} % ({100 * low:.1f} to {min(100.0, 100 * high):.1f})"


def _single(r):
    window = "peak" if r["window_min"] == "peak" else "{:g}–{:g} min".format(*r["window_min"])
    kind = r["model"].replace("_", " ")
    planted = r["planted"] + ("" if r["planted_drift"] == 1 else f", drift {r['planted_drift']}")
    return [
        planted, f"{kind} ({r['drift']})", window, f"{r['overlap']:.3f}", r["noise_model"],
        f"{r['truth']:.3f}", f"{r['bias']:+.3f} ± {r['bias_mc']:.3f}", f"{r['sd']:.3f}",
        f"{r['mean_se']:.3f}", _percent(r, "coverage"),
    ]  # fmt: skip


def draw(planted):
    """One simulated region under three models, and what a drift costs each."""
    colour = json.loads(RESULT.read_text())["noise"]
    rng = np.random.default_rng(4)
    motion = simulate_motion(rng)
    fig, axes = plt.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    noise = 0.25 * simulate_noise(colour, N_CLASSES, rng)[:, 6:7]
    for axis, what in zip(axes[:2], ("fast fall", "slow rise"), strict=True):
        Y = noise + planted[what][:, None]
        axis.plot(TIMES, Y, color="0.85", lw=0.6, label="simulated signal")
        axis.plot(TIMES, planted[what], "k--", lw=1.5, label="planted", zorder=4)
        found = fit(Y, design_of(Pseudoblock(), FLAT), motion, NOISES[BEST])
        course = [found.extras[f"bin{k:02d}"][0] for k in range(1, 26)]
        axis.hlines(
            course,
            np.arange(25),
            np.arange(1, 26),
            color="C0",
            lw=3,
            label="pseudoblock",
            zorder=3,
        )
        for model, name, ink in (
            (Exposure(), "plasma (Kamp)", "C1"),
            (GAMMA, "gamma variate", "C2"),
        ):
            one = fit(Y, design_of(model, FLAT), motion, NOISES[BEST])
            axis.plot(TIMES, one.values[0] * planted[name], color=ink, label=name)
        axis.set(title=what, xlabel="minutes from start of infusion", ylabel="% signal change")
    axes[0].legend(fontsize=7, frameon=False)
    models = (
        ("pseudoblock, 1–6 min", Pseudoblock(window_min=EARLY)),
        ("pseudoblock, 0–25 min", Pseudoblock()),
        ("plasma (Kamp)", Exposure()),
        ("step", Step()),
        ("ramp", Ramp(end_min=END_MIN)),
        ("gamma variate", GAMMA),
        ("response family", FAMILY),
    )
    places = np.arange(len(models))
    for shift, (drift, name) in enumerate(
        (
            (LINE, "line, whole run"),
            (BEFORE, "line, baseline only"),
            (Drift(order=2), "parabola, whole run"),
        )
    ):
        shared = np.array([design_of(model, drift).overlap for _, model in models])
        height = 1.0 / np.sqrt(1.0 - shared)
        axes[2].barh(places + 0.27 * (shift - 1), height, 0.25, left=0.0, label=name)
    axes[2].set(
        yticks=places, xscale="log", xlim=(0.9, None), title="price of a drift (white noise)",
        xlabel="standard error over that without drift",
    )  # fmt: skip
    axes[2].set_yticklabels([name for name, _ in models], fontsize=8)
    axes[2].invert_yaxis()
    ticks = (1, 2, 5, 10)
    axes[2].set_xticks(ticks, [str(tick) for tick in ticks])
    axes[2].minorticks_off()
    fig.legend(
        *axes[2].get_legend_handles_labels(),
        fontsize=8,
        frameon=False,
        ncols=3,
        loc="outside lower right",
    )
    FIGURE.parent.mkdir(exist_ok=True)
    fig.savefig(FIGURE, dpi=130)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tables", action="store_true")
    parser.add_argument("--figure", action="store_true")
    asked = parser.parse_args()
    planted = planted_curves()
    if asked.figure:
        draw(planted)
        return 0
    if not asked.tables:
        colour = measured_colour()
        result = {
            "simulated": True,
            "runs": {"t_r_s": T_R, "volumes": N_VOLUMES, "baseline_min": BASELINE_MIN},
            "voxels_per_row": N_RUNS * N_VOXELS,
            "drift": {"slope_sd_percent_per_min": SLOPE, "bend_sd_percent": 10.0 * BEND},
            "noise": colour,
            "single_run": single_run(colour, planted, seed=1),
            "group": group_false_alarms(colour, seed=2),
            "shapes": shapes(colour, planted, seed=3),
            "commit": describe_commit(),
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        RESULT.write_text(json.dumps(result, indent=1) + "\n")
    write_tables(json.loads(RESULT.read_text()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
