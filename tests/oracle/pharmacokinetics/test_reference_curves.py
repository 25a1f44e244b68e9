"""Published models against curves and constants computed beforehand by other code."""

import csv
from pathlib import Path

import numpy as np
import pytest

from phmri.pharmacokinetics import (
    Absorption,
    Dose,
    DoseInput,
    area_under_curve,
    concentration,
    concentrations,
    derive_constants,
    draw_individuals,
    effect_site_range,
    find_model,
    make_model,
    resolve_doses,
    typical_individual,
)

WEIGHT = 70.0
KETAMINE = ("domino", "kamp", "simons", "fanta_otto", "clements")
# Bolus in mg/kg, rate in mg/kg/h, end of the infusion in min.
REGIMENS = {"A": (0.12, 0.31, 40.0), "B": (0.26, 0.25, 60.0)}


def regimen(name):
    bolus, rate, end = REGIMENS[name]
    first = Dose(route="intravenous", amount=bolus, unit="mg/kg", start_min=0.0, duration_min=1.0)
    then = Dose(
        route="intravenous", amount=rate, unit="mg/kg/h", start_min=1.0, duration_min=end - 1
    )
    return resolve_doses([first, then], weight_kg=WEIGHT)


def table(kind, regimen_name, model):
    with (Path(__file__).parent / "reference_curves.csv").open() as file:
        rows = [
            row
            for row in csv.DictReader(file)
            if (row["kind"], row["regimen"], row["model"]) == (kind, regimen_name, model)
        ]
    printed = [row["ng_per_ml"] for row in rows]
    last_digits = np.array([10.0 ** -len(text.partition(".")[2]) for text in printed])
    times = np.array([float(row["time_min"]) for row in rows])
    return times, np.array([float(text) for text in printed]), last_digits


def assert_as_printed(ours, printed, last_digits):
    # 0.01 of a digit beside the half: the table was rounded from a double.
    bound = np.maximum(0.005 * printed, 0.51 * last_digits)
    assert (np.abs(ours - printed) <= bound).all(), np.c_[ours, printed]


@pytest.mark.parametrize("name", KETAMINE)
@pytest.mark.parametrize("dosing", ["A", "B"])
def test_every_cell_of_the_tables(dosing, name):
    times, printed, last_digits = table("value", dosing, name)
    assert len(times) >= 11
    ours = concentration(find_model(name), regimen(dosing), times, weight_kg=WEIGHT)
    assert_as_printed(ours, printed, last_digits)


@pytest.mark.parametrize("name", ["domino", "kamp", "fanta_otto"])
def test_minute_means_of_samples(name):
    minutes, printed, _ = table("minute_mean", "B", name)
    times = np.arange(1, 20 * len(minutes) + 1) / 20
    sampled = concentration(find_model(name), regimen("B"), times, weight_kg=WEIGHT)
    # Cut to whole ng/mL, not rounded.
    np.testing.assert_array_equal(np.floor(sampled.reshape(-1, 20).mean(axis=1)), printed)


def test_effect_site_peaks():
    times = np.arange(0, 20, 0.005)
    curves = effect_site_range(
        find_model("kamp"),
        regimen("B"),
        times,
        half_lives_min=[1.0, 2.0, 5.0, 8.0],
        weight_kg=WEIGHT,
    )
    np.testing.assert_allclose(curves.max(axis=1), [440, 351, 235, 184], atol=0.5)
    # Found on a grid of 3 s, then printed to 6 s.
    np.testing.assert_allclose(times[curves.argmax(axis=1)], [3.1, 4.5, 7.6, 10.3], atol=0.08)


@pytest.mark.parametrize(
    ("name", "clearance", "volume", "half_lives", "area"),
    [
        ("domino", 115.9, 193, (0.4, 4.6, 114.6), 86),
        ("kamp", 84.0, 238, (2.8, 28.4, 183.8), 119),
        ("simons", 88.8, 225, (1.5, 21.4, 193.2), 113),
        ("fanta_otto", 95.2, 419, (12.9, 89.4, 442), 105),
        ("clements", 80.2, 289, (17.6, 182.9), 125),
    ],
)
def test_derived_constants(name, clearance, volume, half_lives, area):
    model = find_model(name)
    found = derive_constants(model, weight_kg=WEIGHT)
    ten = [DoseInput(route="intravenous", amount_mg=10.0, start_min=0.0)]
    np.testing.assert_allclose(found.clearance_l_per_h, clearance, atol=0.051)
    np.testing.assert_allclose(found.steady_state_volume_l, volume, atol=0.51)
    np.testing.assert_allclose(found.half_lives_min, half_lives, atol=0.051)
    np.testing.assert_allclose(area_under_curve(model, ten, weight_kg=WEIGHT), area, atol=0.51)


def test_spread_between_people():
    people = draw_individuals(
        find_model("simons"), 2000, rng=np.random.default_rng(20), weight_kg=WEIGHT
    )
    times = np.array([1.0, 2.0, 5.0, 10.0, 20.0, 40.0])
    curves = concentrations(people, regimen("B"), times)
    variation = curves.std(axis=0) / curves.mean(axis=0)
    assert variation[0] == pytest.approx(0.19, abs=0.015)
    assert variation[1:].min() > 0.09
    assert variation[1:].max() < 0.145


@pytest.mark.parametrize(
    ("name", "amount", "minutes", "at", "expected"),
    [
        ("simons", 20.0, 20.0, 20.0, 268),
        ("kamp", 10.0, 1.0, 2.0, 292),
        ("clements", 35.0, 40.0, 40.0, 177),
        ("fanta_otto", 35.0, 40.0, 40.0, 158),
        ("domino", 35.0, 40.0, 40.0, 240),
        ("kamp", 35.0, 40.0, 40.0, 253),
        ("simons", 35.0, 40.0, 40.0, 289),
    ],
)
def test_levels_beside_the_measured_ones(name, amount, minutes, at, expected):
    dose = DoseInput(route="intravenous", amount_mg=amount, start_min=0.0, duration_min=minutes)
    ours = concentration(find_model(name), [dose], np.array([at]), weight_kg=WEIGHT)
    np.testing.assert_allclose(ours, expected, atol=0.51)


def test_measured_levels_that_a_model_was_fitted_to_or_predicts():
    # Arterial, mean weight 73 kg: 273 (259-287) and 260 (251-269) ng/mL.
    twenty = DoseInput(route="intravenous", amount_mg=20.0, start_min=0.0, duration_min=20.0)
    peak = concentration(find_model("simons"), [twenty], np.array([20.0]), weight_kg=73.0)
    assert 251 < peak[0] < 287
    # AUC of 10 mg: 113 ug h/L.
    ten = DoseInput(route="intravenous", amount_mg=10.0, start_min=0.0)
    area = area_under_curve(find_model("simons"), [ten], weight_kg=WEIGHT)
    np.testing.assert_allclose(area, 113, atol=0.51)


def lamotrigine(model):
    dose = DoseInput(route="oral", amount_mg=300.0, start_min=0.0)
    minutes = np.arange(0.0, 26 * 60 + 1)
    return minutes / 60, concentration(model, [dose], minutes, weight_kg=WEIGHT) / 1000


def test_lamotrigine_of_hussein():
    hours, mg_per_l = lamotrigine(find_model("hussein"))
    np.testing.assert_allclose(mg_per_l.max(), 3.7, atol=0.051)
    np.testing.assert_allclose(hours[mg_per_l.argmax()], 1.5, atol=0.051)
    at = np.searchsorted(hours, [2, 3, 24])
    np.testing.assert_allclose(mg_per_l[at], [3.7, 3.6, 2.1], atol=0.051)
    share = mg_per_l[np.searchsorted(hours, [24.0, 26.0])] / mg_per_l.max()
    assert (share > 0.53).all()
    assert (share < 0.60).all()


def test_lamotrigine_of_label_and_cohen():
    # ka such that the peak comes at the label's 2.2 h with CL/F 0.44 mL/min/kg and 1.2 L/kg.
    clearance, volume = 0.44 * 60 / 1000 * WEIGHT, 1.2 * WEIGHT
    k, ka = clearance / volume, 2.09
    np.testing.assert_allclose(np.log(ka / k) / (ka - k), 2.2, atol=0.01)
    model = make_model(
        name="label",
        drug="lamotrigine",
        site="venous",
        volumes_l=[volume],
        clearances_l_per_h=[clearance],
        absorption=Absorption(ka_per_h=ka),
    )
    hours, mg_per_l = lamotrigine(model)
    np.testing.assert_allclose(mg_per_l.max(), 3.4, atol=0.051)
    at = np.searchsorted(hours, [1, 24])
    np.testing.assert_allclose(mg_per_l[at], [3.1, 2.1], atol=0.051)


def test_metabolites_leave_the_parent_as_it_is():
    person = typical_individual(find_model("simons"), WEIGHT)
    times = np.array([5.0, 60.0, 600.0])
    parent = concentrations(person, regimen("B"), times)
    for analyte in ("norketamine", "hydroxynorketamine"):
        metabolite = concentrations(person, regimen("B"), times, analyte=analyte)
        assert metabolite[0, 0] < 0.05 * parent[0, 0]
        assert metabolite[0, 2] > parent[0, 2]
