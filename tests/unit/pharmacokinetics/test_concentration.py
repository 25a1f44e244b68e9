"""Concentrations: conventions, effect site, means over bins, refusals."""

import numpy as np
import pytest

from phmri.exceptions import PharmacokineticsError
from phmri.pharmacokinetics import (
    DoseInput,
    area_under_curve,
    concentration,
    concentrations,
    draw_individuals,
    effect_site_range,
    find_model,
    make_individuals,
    mean_concentrations,
    typical_individual,
    with_variances,
)

BOLUS = DoseInput(route="intravenous", amount_mg=20.0, start_min=0.0)
INFUSION = DoseInput(route="intravenous", amount_mg=20.0, start_min=2.0, duration_min=40.0)


def test_a_bolus_is_in_at_its_time_and_not_before():
    kamp = find_model("kamp")
    times = np.array([-1.0, -1e-9, 0.0])
    found = concentration(kamp, [BOLUS], times, weight_kg=70.0)
    np.testing.assert_allclose(found, [0.0, 0.0, 800.0], rtol=1e-13)


def test_no_dose_is_no_concentration():
    times = np.linspace(-5, 60, 100)
    assert (concentration(find_model("kamp"), [], times, weight_kg=70.0) == 0).all()
    assert concentration(find_model("kamp"), [BOLUS], np.empty(0), weight_kg=70.0).shape == (0,)


def test_order_of_times_does_not_matter():
    times = np.array([30.0, -2.0, 5.0, 5.0, 90.0])
    person = typical_individual(find_model("simons"), 70.0)
    found = concentrations(person, [INFUSION], times)
    order = np.argsort(times)
    sorted_ones = concentrations(person, [INFUSION], times[order])
    np.testing.assert_array_equal(found[:, order], sorted_ones)
    assert found[0, 2] == found[0, 3]


def test_many_people_are_followed_as_each_alone():
    # More than are held together, and not a multiple of it.
    people = draw_individuals(
        find_model("simons"), 300, rng=np.random.default_rng(2), weight_kg=np.linspace(50, 90, 300)
    )
    times = np.linspace(0, 59, 60)
    factors = np.linspace(0.5, 2, 300)
    ke0 = np.linspace(0.05, 2, 300)
    found = concentrations(people, [INFUSION, BOLUS], times, ke0_per_min=ke0, dose_factors=factors)
    names = [p.name for p in people.model.parameters if p.variance > 0]
    columns = [i for i, p in enumerate(people.model.parameters) if p.name in names]
    for i in (0, 255, 256, 299):
        weight = 50 + 40 * i / 299
        typical = typical_individual(people.model, weight).values[0]
        etas = np.log(people.values[i] / typical)[columns]
        alone = make_individuals(people.model, etas[None], weight)
        single = concentrations(alone, [INFUSION, BOLUS], times, ke0_per_min=float(ke0[i]))
        np.testing.assert_allclose(found[i], factors[i] * single[0], rtol=1e-9)


def test_nothing_is_negative_after_a_long_time():
    times = np.array([0.001, 1.0, 1e4, 1e5, 1e6])
    for analyte in ("ketamine", "norketamine", "hydroxynorketamine"):
        found = concentration(
            find_model("simons"), [BOLUS], times, weight_kg=70.0, analyte=analyte
        )
        assert (found >= 0).all()
        assert found[-1] < 1e-300


def test_early_metabolite_has_digits():
    # Four flows lead from the dose to norketamine's compartment: the first term of its series.
    model = find_model("simons")
    t = 1e-6
    found = concentration(model, [BOLUS], np.array([t]), weight_kg=70.0, analyte="norketamine")
    rates = [1.48 / 11.6, 2 / 20.1, 0.8 * 2 / 20.1]
    expected = 1000 * 20 / 11.6 * (223.70 / 237.73) * np.prod(rates) * t**3 / 6
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_effect_site_follows_and_fast_ones_are_plasma():
    times = np.linspace(0, 90, 91)
    kamp = find_model("kamp")
    plasma = concentration(kamp, [INFUSION], times, weight_kg=70.0)
    slow, fast = effect_site_range(
        kamp, [INFUSION], times, half_lives_min=[8.0, 1e-3], weight_kg=70.0
    )
    assert times[slow.argmax()] > times[plasma.argmax()]
    assert slow.max() < plasma.max()
    np.testing.assert_allclose(fast[3:], plasma[3:], rtol=5e-3)
    np.testing.assert_allclose(
        concentration(kamp, [INFUSION], times, weight_kg=70.0, ke0_per_min=np.log(2) / 8),
        slow,
        rtol=1e-10,
    )


def test_effect_site_keeps_the_area():
    kamp = find_model("kamp")
    person = typical_individual(kamp, 70.0)
    edges = np.array([0.0, 1e5])
    area = area_under_curve(kamp, [BOLUS, INFUSION], weight_kg=70.0)
    for ke0 in (None, 0.1):
        mean = mean_concentrations(person, [BOLUS, INFUSION], edges, ke0_per_min=ke0)
        np.testing.assert_allclose(mean * 1e5 / 60, area, rtol=1e-9)


def test_area_of_a_metabolite():
    simons = find_model("simons")
    person = typical_individual(simons, 70.0)
    mean = mean_concentrations(person, [BOLUS], np.array([-10.0, 1e5]), analyte="norketamine")[
        0, 0
    ]
    area = area_under_curve(simons, [BOLUS], weight_kg=70.0, analyte="norketamine")
    np.testing.assert_allclose(mean * (1e5 + 10) / 60, area, rtol=1e-9)
    # 80 % of the dose goes through it, cleared at 1 L/min.
    np.testing.assert_allclose(area, 1000 / 60 * 0.8 * 20 * 223.70 / 237.73, rtol=1e-12)


def test_means_over_bins_are_integrals():
    person = typical_individual(find_model("domino"), 70.0)
    fine = np.linspace(0, 20, 20_001)
    course = concentrations(person, [INFUSION], fine)[0]
    steps = (course[1:] + course[:-1]) / 2
    found = mean_concentrations(person, [INFUSION], np.arange(21.0))[0]
    np.testing.assert_allclose(found, steps.reshape(20, -1).mean(axis=1), rtol=1e-5, atol=1e-9)


def test_all_refusals_at_once():
    doses = [
        DoseInput(route="oral", amount_mg=1.0, start_min=0.0),
        DoseInput(route="intravenous", amount_mg=-1.0, start_min=0.0, duration_min=-2.0),
        DoseInput(route="intravenous", amount_mg=1.0, start_min=float("nan")),
    ]
    with pytest.raises(PharmacokineticsError) as error:
        concentration(
            find_model("kamp"),
            doses,
            np.array([0.0, np.nan]),
            weight_kg=70.0,
            ke0_per_min=0.0,
            analyte="norketamine",
        )
    assert [problem.field for problem in error.value.problems] == [
        "doses[0].route",
        "doses[1].amount_mg",
        "doses[1].duration_min",
        "doses[2].start_min",
        "ke0_per_min",
        "kamp.analyte",
        "times_min",
    ]


@pytest.mark.parametrize("weight", [None, 0.0, float("nan")])
def test_a_scaling_model_needs_a_weight(weight):
    with pytest.raises(PharmacokineticsError, match="weight"):
        concentration(find_model("simons"), [BOLUS], np.array([1.0]), weight_kg=weight)


def test_a_model_without_scaling_needs_none():
    times = np.array([1.0, 30.0])
    model = find_model("perez_ruixo")
    np.testing.assert_array_equal(
        concentration(model, [BOLUS], times), concentration(model, [BOLUS], times, weight_kg=99.0)
    )


@pytest.mark.parametrize("edges", [[0.0], [0.0, 0.0], [1.0, 0.0], [0.0, np.inf]])
def test_edges_have_to_rise(edges):
    person = typical_individual(find_model("kamp"), 70.0)
    with pytest.raises(PharmacokineticsError, match=r"edges|not finite"):
        mean_concentrations(person, [BOLUS], np.array(edges))


def test_other_refusals():
    kamp = find_model("kamp")
    person = typical_individual(kamp, 70.0)
    with pytest.raises(PharmacokineticsError, match="half_lives_min"):
        effect_site_range(
            kamp, [BOLUS], np.array([1.0]), half_lives_min=[1.0, -2.0], weight_kg=70.0
        )
    with pytest.raises(PharmacokineticsError, match="dose_factors"):
        concentrations(person, [BOLUS], np.array([1.0]), dose_factors=np.array([-1.0]))
    oral = DoseInput(route="oral", amount_mg=1.0, start_min=0.0)
    with pytest.raises(PharmacokineticsError, match="oral"):
        area_under_curve(kamp, [oral], weight_kg=70.0)
    with pytest.raises(PharmacokineticsError, match="no variance"):
        draw_individuals(kamp, 3, rng=np.random.default_rng(0), weight_kg=70.0)
    with pytest.raises(PharmacokineticsError, match="V9"):
        with_variances(kamp, {"V9": 0.1})


def test_draws_have_the_covariance_of_the_model():
    model = find_model("fanta_otto")
    people = draw_individuals(model, 40_000, rng=np.random.default_rng(8), weight_kg=70.0)
    names = [p.name for p in model.parameters]
    pair = np.log(people.values[:, [names.index("V1"), names.index("CL")]])
    found = np.cov(pair, rowvar=False)
    np.testing.assert_allclose(found, [[0.084, 0.023], [0.023, 0.026]], rtol=0.04)
    again = draw_individuals(model, 40_000, rng=np.random.default_rng(8), weight_kg=70.0)
    np.testing.assert_array_equal(people.values, again.values)
    fixed = people.values[:, names.index("Q2")]
    assert (fixed == fixed[0]).all()
