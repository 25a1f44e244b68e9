"""Models: what a model must be, one's own, and the published ones."""

from dataclasses import replace

import numpy as np
import pytest

from phmri.exceptions import PharmacokineticsError
from phmri.pharmacokinetics import (
    Absorption,
    Analyte,
    DoseInput,
    Flow,
    Parameter,
    Route,
    concentration,
    derive_constants,
    find_model,
    make_model,
    make_model_from_rates,
    model_names,
    rate_matrices,
    typical_individual,
)


def own(**changes):
    settings = {
        "name": "own",
        "drug": "drug",
        "site": "venous",
        "volumes_l": [25.0, 56.0, 157.0],
        "clearances_l_per_h": [84.0, 161.0, 79.0],
    }
    return make_model(**(settings | changes))


@pytest.mark.parametrize("name", model_names())
def test_published_models_say_what_they_are(name):
    model = find_model(name)
    assert model.name == name
    assert model.citation.endswith(".") or model.doi
    assert len(model.caution) > 40
    assert model.analytes[0].name in {"ketamine", "lamotrigine"}
    # Nothing is made: what leaves a compartment is at least what arrives from it.
    assert (rate_matrices(typical_individual(model, 70.0))[0].sum(axis=0) < 1e-15).all()


def test_sites_are_named():
    sites = {name: find_model(name).site for name in model_names()}
    assert sites["kamp"] == sites["simons"] == "arterial"
    assert sites["fanta_otto"] == sites["clements"] == "venous"


@pytest.mark.parametrize(
    ("name", "power"),
    [("domino", 0.0), ("kamp", 0.0), ("simons", -0.25), ("perez_ruixo", 0.0)],
)
def test_weight_scaling_of_half_lives(name, power):
    # With volumes to the 1 and clearances to the 0.75, time goes with the weight to the 0.25.
    model = find_model(name)
    light, heavy = (derive_constants(model, weight_kg=w).half_lives_min for w in (50.0, 100.0))
    np.testing.assert_allclose(np.array(light) / np.array(heavy), 2.0**power, rtol=1e-12)


def test_only_central_parameters_of_fanta_otto_scale():
    exponents = {p.name: p.weight_exponent for p in find_model("fanta_otto").parameters}
    assert {name for name, exponent in exponents.items() if exponent} == {
        "V1",
        "NK V1",
        "CL",
        "NK CL",
    }


def test_unknown_name_suggests_one():
    with pytest.raises(PharmacokineticsError, match="expected fanta_otto"):
        find_model("fanta")


def test_transit_chain_passes_its_fraction():
    A = rate_matrices(typical_individual(find_model("simons"), 70.0))[0]
    model = find_model("simons")
    i = model.compartments.index
    second = A[:, i("central to NK central 2")]
    np.testing.assert_allclose(second[i("NK central")] / -second.min(), 0.8, rtol=1e-14)
    np.testing.assert_allclose(-second.min(), 2 / 20.1, rtol=1e-14)


def test_own_model_equals_the_published_one():
    times = np.array([1.0, 10.0, 100.0])
    dose = [DoseInput(route="intravenous", amount_mg=20.0, start_min=0.0, duration_min=5.0)]
    np.testing.assert_allclose(
        concentration(own(), dose, times),
        concentration(find_model("kamp"), dose, times, weight_kg=70.0),
        rtol=1e-13,
    )
    rates = {"k10": 84 / 25, "k12": 161 / 25, "k21": 161 / 56, "k13": 79 / 25, "k31": 79 / 157}
    micro = make_model_from_rates(
        name="micro",
        drug="drug",
        site="arterial",
        volume_l=25.0,
        rates_per_min={key: value / 60 for key, value in rates.items()},
    )
    np.testing.assert_allclose(
        concentration(micro, dose, times), concentration(own(), dose, times), rtol=1e-13
    )


def test_oral_absorption_lag_and_bioavailability():
    model = own(
        volumes_l=[50.0],
        clearances_l_per_h=[6.0],
        absorption=Absorption(ka_per_h=3.0, bioavailability=0.4, lag_min=15.0),
    )
    times = np.array([14.9, 15.0, 45.0, 300.0])
    dose = [DoseInput(route="oral", amount_mg=100.0, start_min=0.0)]
    ka, k = 3.0, 6.0 / 50
    hours = np.maximum(times - 15, 0) / 60
    expected = 1000 * 0.4 * 100 / 50 * ka / (ka - k) * (np.exp(-k * hours) - np.exp(-ka * hours))
    np.testing.assert_allclose(concentration(model, dose, times), expected, rtol=1e-12)


def test_a_model_of_one_compartment_is_an_exponential():
    model = make_model_from_rates(
        name="one", drug="d", site="mixed", volume_l=10.0, rates_per_min={"k10": 0.1}
    )
    times = np.array([0.0, 1.0, 7.0, 1000.0])
    dose = [DoseInput(route="intravenous", amount_mg=5.0, start_min=0.0)]
    expected = 500.0 * np.exp(-0.1 * times)
    np.testing.assert_allclose(concentration(model, dose, times), expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"clearances_l_per_h": [84.0]}, "as many clearances as volumes"),
        ({"volumes_l": [], "clearances_l_per_h": []}, "as many clearances as volumes"),
        ({"weight_exponents": {"V9": 1.0}}, "own.V9: no such parameter"),
        ({"variances": {"CL": -0.1}}, "own.parameters.CL.variance"),
        ({"volumes_l": [25.0, 0.0, float("nan")]}, "own.parameters.V3"),
    ],
)
def test_own_model_with_faults(changes, text):
    with pytest.raises(PharmacokineticsError, match=text):
        own(**changes)


def test_micro_constants_come_in_pairs():
    with pytest.raises(PharmacokineticsError, match="k12 with k21"):
        make_model_from_rates(
            name="x", drug="d", site="mixed", volume_l=1.0, rates_per_min={"k10": 1.0, "k12": 1.0}
        )


def test_names_that_do_not_fit_are_all_told():
    model = own()
    with pytest.raises(PharmacokineticsError) as error:
        replace(
            model,
            flows=(*model.flows, Flow(source="brain", target="central", numerator="Q9")),
            analytes=(*model.analytes, Analyte(name="m", compartment="liver", volume="V1")),
            routes=(Route(name="oral", compartment="gut"),),
            covariances=(("V1", "CL", 0.1),),
            parameters=(*model.parameters, Parameter(name="CL", value=1.0, unit="L/h")),
        )
    text = str(error.value)
    for word in ("brain", "Q9", "liver", "gut", "variance", "occurs twice"):
        assert word in text


@pytest.mark.parametrize(
    "flow",
    [
        Flow(source="central", target=None, numerator="CL"),
        Flow(source="central", target=None, numerator="V1", denominator="CL"),
        Flow(source="central", target="central", numerator="CL", denominator="V1"),
        Flow(source="central", target=None),
    ],
)
def test_a_flow_has_to_be_a_rate_constant(flow):
    model = own()
    with pytest.raises(PharmacokineticsError, match="is no rate constant"):
        replace(model, flows=(*model.flows, flow))


def test_covariances_have_to_be_possible():
    model = own(variances={"V1": 0.04, "CL": 0.01})
    assert replace(model, covariances=(("V1", "CL", 0.019),)).covariances
    with pytest.raises(PharmacokineticsError, match="positive definite"):
        replace(model, covariances=(("V1", "CL", 0.021),))


def test_a_concentration_needs_a_volume():
    model = own()
    with pytest.raises(PharmacokineticsError, match="needs a volume"):
        replace(model, analytes=(Analyte(name="d", compartment="central", volume="CL"),))
