"""Draw docs/figures/pharmacokinetics.png: models against measured levels, and what they imply.

python benchmarks/pharmacokinetics_figure.py
"""

import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "src")]

from phmri.pharmacokinetics import (  # noqa: E402
    Dose,
    concentration,
    effect_site_range,
    find_model,
    resolve_doses,
)

# Okabe and Ito; solid is arterial, dashed venous, dotted not stated.
COLOURS = {
    "simons": "#0072B2",
    "kamp": "#D55E00",
    "domino": "#66727f",
    "fanta_otto": "#009E73",
    "clements": "#CC79A7",
}
LABELS = {
    "simons": "Simons (S)",
    "kamp": "Kamp",
    "domino": "Domino",
    "fanta_otto": "Fanta/Otto (S)",
    "clements": "Clements",
}
DASHES = {"arterial": "-", "venous": "--", "mixed": ":"}
WORDS = {"arterial": "arterial", "venous": "venous", "mixed": "site not stated"}
MEASURED = {"color": "black", "zorder": 5}


def main() -> None:
    style = {
        "font.size": 9,
        "axes.titlesize": 9.5,
        "axes.spines.top": False,
        "axes.spines.right": False,
    }
    with mpl.rc_context(style):
        figure = Figure(figsize=(12.5, 7.6), layout="constrained")
        axes = figure.subplots(2, 3)
        _twenty_milligrams(axes[0, 0])
        _ten_milligrams(axes[0, 1])
        _half_per_kg(axes[0, 2])
        _regimens(axes[1, 0])
        _effect_site(axes[1, 1])
        _lamotrigine(axes[1, 2])
        figure.legend(
            handles=[
                Line2D(
                    [],
                    [],
                    color=COLOURS[name],
                    ls=DASHES[find_model(name).site],
                    lw=2,
                    label=f"{LABELS[name]}, {WORDS[find_model(name).site]}",
                )
                for name in COLOURS
            ]
            + [Line2D([], [], **MEASURED, marker="o", ls="", label="measured")],
            loc="outside upper center",
            ncols=6,
            frameon=False,
        )
        folder = HERE.parent / "docs" / "figures"
        folder.mkdir(exist_ok=True)
        figure.savefig(folder / "pharmacokinetics.png", dpi=110)


def _intravenous(weight: float, *doses: tuple[float, str, float, float]) -> tuple[object, ...]:
    orders = [
        Dose(route="intravenous", amount=a, unit=unit, start_min=start, duration_min=minutes)
        for a, unit, start, minutes in doses
    ]
    return resolve_doses(orders, weight_kg=weight)


def _draw(axes: Axes, names: tuple[str, ...], doses: object, times: np.ndarray, kg: float) -> None:
    for name in names:
        model = find_model(name)
        curve = concentration(model, doses, times, weight_kg=kg)
        axes.plot(times, curve, color=COLOURS[name], ls=DASHES[model.site], lw=1.8)
    axes.set(xlabel="minutes from start", ylabel="ng/mL in plasma", xlim=(times[0], times[-1]))


def _plain_numbers(axes: Axes, ticks: list[int]) -> None:
    axes.set_yticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()


def _twenty_milligrams(axes: Axes) -> None:
    doses = _intravenous(73, (20.0, "mg", 0.0, 20.0))
    _draw(axes, ("simons", "kamp", "fanta_otto"), doses, np.linspace(0, 60, 601), 73.0)
    axes.errorbar(
        [19.6, 20.4],
        [273, 260],
        yerr=[[14, 9], [14, 9]],
        fmt="o",
        capsize=3,
        ms=4,
        **MEASURED,
    )
    axes.annotate("arterial, two visits\n273 (259–287), 260 (251–269)", (22, 285), va="bottom")
    axes.set_ylim(0, 340)
    axes.set_title("20 mg S-ketamine over 20 min, 73 kg", loc="left", weight="bold")


def _ten_milligrams(axes: Axes) -> None:
    doses = _intravenous(70, (10.0, "mg", 0.0, 1.0))
    names = ("simons", "kamp", "domino", "fanta_otto", "clements")
    _draw(axes, names, doses, np.linspace(0, 20, 1201), 70.0)
    axes.errorbar(
        [2.0], [296], yerr=[[296 - 296 / 1.71], [296 * 0.71]], fmt="o", capsize=3, ms=4, **MEASURED
    )
    axes.annotate("peak 296 at 2 min\n(bar: one geometric SD)", (2.5, 480), va="bottom")
    axes.set(yscale="log", ylim=(20, 1500))
    _plain_numbers(axes, [20, 50, 100, 200, 500, 1000])
    axes.set_title("10 mg over 1 min (assumed), 70 kg", loc="left", weight="bold")


def _half_per_kg(axes: Axes) -> None:
    doses = _intravenous(70, (0.5, "mg/kg", 0.0, 40.0))
    names = ("simons", "kamp", "domino", "fanta_otto", "clements")
    _draw(axes, names, doses, np.linspace(0, 90, 901), 70.0)
    axes.plot([40], [185], "o", ms=5, **MEASURED)
    axes.plot([41.5, 41.5], [100, 250], lw=1, **MEASURED)
    axes.annotate("185 (Zarate 2006)\n100–250 (Krystal 1994)", (43.5, 190), va="bottom")
    axes.set_ylim(0, 340)
    axes.set_title("0.5 mg/kg over 40 min, 70 kg", loc="left", weight="bold")


def _regimens(axes: Axes) -> None:
    times = np.linspace(0, 60, 3601)
    b = _intravenous(70, (0.26, "mg/kg", 0.0, 1.0), (0.25, "mg/kg/h", 1.0, 59.0))
    a = _intravenous(70, (0.12, "mg/kg", 0.0, 1.0), (0.31, "mg/kg/h", 1.0, 39.0))
    names = ("simons", "kamp", "fanta_otto")
    _draw(axes, names, b, times, 70.0)
    for name in names:
        model = find_model(name)
        thin = concentration(model, a, times, weight_kg=70.0)
        axes.plot(times, thin, color=COLOURS[name], ls=DASHES[model.site], lw=0.9, alpha=0.75)
    axes.annotate("thick: B, 0.26 mg/kg + 0.25 mg/kg/h", (8, 950))
    axes.annotate("thin: A, 0.12 mg/kg + 0.31 mg/kg/h to 40 min", (8, 700))
    axes.set(yscale="log", ylim=(40, 1500))
    _plain_numbers(axes, [50, 100, 200, 500, 1000])
    axes.set_title("Large and small bolus, 70 kg", loc="left", weight="bold")


def _effect_site(axes: Axes) -> None:
    times = np.linspace(0, 30, 1801)
    b = _intravenous(70, (0.26, "mg/kg", 0.0, 1.0), (0.25, "mg/kg/h", 1.0, 59.0))
    halves = (1.0, 2.0, 5.0, 8.0)
    _draw(axes, ("kamp",), b, times, 70.0)
    curves = effect_site_range(find_model("kamp"), b, times, half_lives_min=halves, weight_kg=70.0)
    for half, curve, shade in zip(halves, curves, (0.0, 0.35, 0.55, 0.7), strict=True):
        label = f"t½ {half:g} min: peak {curve.max():.0f} at {times[curve.argmax()]:.1f} min"
        axes.plot(times, curve, color=str(shade), lw=1.6, label=label)
    axes.legend(frameon=False, loc="upper right")
    axes.set(ylim=(0, 700), ylabel="ng/mL")
    axes.annotate("plasma", (1.8, 610), color=COLOURS["kamp"])
    axes.set_title("B at an assumed effect site (Kamp)", loc="left", weight="bold")


def _lamotrigine(axes: Axes) -> None:
    hours = np.linspace(0, 48, 961)
    dose = resolve_doses([Dose(route="oral", amount=300.0, unit="mg", start_min=0.0)])
    curve = concentration(find_model("hussein"), dose, hours * 60) / 1000
    axes.plot(hours, curve, color="#8c6d31", lw=1.8)
    for hour, text in ((2.0, "infusion"), (26.0, "scan a day later")):
        level = float(np.interp(hour, hours, curve))
        axes.axvline(hour, color="0.75", lw=1, zorder=0)
        axes.plot([hour], [level], "o", color="#8c6d31", ms=4)
        axes.annotate(
            f"{text}: {level:.1f} mg/L\n({level / curve.max():.0%} of the peak)",
            (hour + 0.8, level + 0.12),
        )
    axes.set(xlabel="hours from the tablet", ylabel="mg/L in plasma", ylim=(0, 4.6), xlim=(0, 48))
    axes.set_title("Lamotrigine 300 mg, oral (Hussein)", loc="left", weight="bold")


if __name__ == "__main__":
    main()
