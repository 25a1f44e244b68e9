"""One person's parameters from a few samples."""

import numpy as np
import pytest

from phmri.exceptions import PharmacokineticsError
from phmri.pharmacokinetics import (
    DoseInput,
    concentration,
    concentrations,
    draw_individuals,
    find_model,
    fit_individual,
    make_individuals,
    make_model_from_rates,
    typical_individual,
    with_variances,
)

SIMONS = find_model("simons")
DOSES = [
    DoseInput(route="intravenous", amount_mg=20.0, start_min=0.0, duration_min=1.0),
    DoseInput(route="intravenous", amount_mg=19.0, start_min=1.0, duration_min=59.0),
]
TIMES = np.array([2.0, 5.0, 10.0, 20.0, 40.0, 60.0, 75.0, 120.0, 240.0])


def test_planted_parameters_are_found():
    person = draw_individuals(SIMONS, 1, rng=np.random.default_rng(3), weight_kg=80.0)
    measured = concentrations(person, DOSES, TIMES)[0]
    fit = fit_individual(
        SIMONS, DOSES, TIMES, measured, weight_kg=80.0, residual_sd_proportional=1e-3
    )
    planted = dict(zip([p.name for p in SIMONS.parameters], person.values[0], strict=True))
    assert fit.converged
    for name in ("VK1", "CLK1", "CLK3"):
        assert fit.parameters[name] == pytest.approx(planted[name], rel=2e-3)
    np.testing.assert_allclose(fit.residuals_ng_ml, measured - fit.predicted_ng_ml)
    np.testing.assert_allclose(fit.predicted_ng_ml, measured, rtol=1e-3)
    # What ketamine says nothing of stays typical.
    assert fit.etas["CLH1"] == pytest.approx(0.0, abs=1e-6)


def test_without_samples_the_person_is_typical():
    nothing = np.empty(0)
    fit = fit_individual(SIMONS, DOSES, nothing, nothing, weight_kg=62.0)
    assert set(fit.etas.values()) == {0.0}
    np.testing.assert_array_equal(
        concentrations(fit.individual, DOSES, TIMES)[0],
        concentration(SIMONS, DOSES, TIMES, weight_kg=62.0),
    )


def test_the_minimum_of_one_parameter_and_one_sample():
    # y = eta + e with an additive error small beside the curve: the weighted mean of 0 and y.
    model = with_variances(
        make_model_from_rates(
            name="one", drug="d", site="mixed", volume_l=10.0, rates_per_min={"k10": 1e-9}
        ),
        {"V1": 1e-4},
    )
    dose = [DoseInput(route="intravenous", amount_mg=1.0, start_min=0.0)]
    fit = fit_individual(
        model, dose, np.array([1.0]), np.array([101.0]), residual_sd_additive_ng_ml=2.0
    )
    # The logarithm of the concentration has the prior SD 0.01 and the error SD 0.02.
    expected = -np.log(1.01) * 1e-4 / (1e-4 + 4e-4)
    assert fit.etas["V1"] == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("direction", [-0.5, 0.5])
def test_noisier_samples_are_trusted_less(direction):
    etas = np.zeros((1, 8))
    etas[0, [0, 2]] = direction
    measured = concentrations(make_individuals(SIMONS, etas, 70.0), DOSES, TIMES[:3])[0]
    sizes = []
    for sd in (0.01, 0.1, 0.5):
        fit = fit_individual(
            SIMONS, DOSES, TIMES[:3], measured, weight_kg=70.0, residual_sd_proportional=sd
        )
        assert fit.converged
        sizes.append(abs(fit.etas["VK1"]))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[-1] < 0.1 * sizes[0]


def test_shrinkage_in_many_people():
    rng = np.random.default_rng(4)
    people = draw_individuals(SIMONS, 12, rng=rng, weight_kg=70.0)
    times = np.array([10.0, 60.0])
    curves = concentrations(people, DOSES, times)
    noisy = curves * np.exp(0.11 * rng.standard_normal(curves.shape))
    fits = [fit_individual(SIMONS, DOSES, times, row, weight_kg=70.0) for row in noisy]
    typical = concentration(SIMONS, DOSES, np.array([30.0]), weight_kg=70.0)
    true = concentrations(people, DOSES, np.array([30.0]))[:, 0]
    fitted = np.array(
        [concentrations(fit.individual, DOSES, np.array([30.0]))[0, 0] for fit in fits]
    )
    planted = np.log(people.values[:, 6] / typical_individual(SIMONS, 70.0).values[0, 6])
    found = np.array([fit.etas["CLK1"] for fit in fits])
    assert np.std(found) < np.std(planted)
    assert np.mean((fitted - true) ** 2) < np.mean((typical - true) ** 2)


def test_the_models_own_error_is_taken():
    measured = concentration(SIMONS, DOSES, TIMES[:2], weight_kg=70.0) * 1.3
    own = fit_individual(SIMONS, DOSES, TIMES[:2], measured, weight_kg=70.0)
    said = fit_individual(
        SIMONS, DOSES, TIMES[:2], measured, weight_kg=70.0, residual_sd_proportional=0.012**0.5
    )
    assert own.etas == said.etas


def test_all_refusals_at_once():
    with pytest.raises(PharmacokineticsError) as error:
        fit_individual(
            find_model("kamp"),
            DOSES,
            np.array([-1.0, 5.0, 6.0]),
            np.array([100.0, 0.0]),
            weight_kg=70.0,
        )
    assert [problem.field for problem in error.value.problems] == [
        "kamp",
        "residual_sd_proportional, residual_sd_additive_ng_ml",
        "sample_times_min, measured_ng_ml",
        "sample_times_min",
        "measured_ng_ml",
    ]


def test_a_sample_before_the_drug_is_there_is_refused_where_errors_are_in_proportion():
    doses = [DoseInput(route="intravenous", amount_mg=0.0, start_min=0.0, duration_min=1.0)]
    samples = np.array([10.0]), np.array([50.0])
    with pytest.raises(PharmacokineticsError, match="nothing in the body") as caught:
        fit_individual(SIMONS, doses, *samples, weight_kg=70.0, residual_sd_proportional=0.2)
    assert "10.0" in str(caught.value)
    fit = fit_individual(
        SIMONS, doses, *samples, weight_kg=70.0, residual_sd_proportional=0.2,
        residual_sd_additive_ng_ml=5.0,
    )  # fmt: skip
    assert np.isfinite(fit.objective)
