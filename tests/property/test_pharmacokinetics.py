"""What holds for every linear model, whatever its numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from phmri.pharmacokinetics import (
    Analyte,
    CompartmentModel,
    DoseInput,
    Flow,
    Parameter,
    Route,
    concentration,
    concentrations,
    draw_individuals,
    find_model,
    mean_concentrations,
    model_names,
    rate_matrices,
    typical_individual,
)
from phmri.pharmacokinetics._exponential import exponential

RATE = st.floats(-3.5, 0.5).map(lambda exponent: 10.0**exponent)
TIMES = np.array([0.0, 0.3, 1.0, 2.5, 7.0, 30.0, 61.0, 240.0])


# Strategies draw plain numbers: records check their arrays by chance, which Hypothesis refuses.
@st.composite
def networks(draw):
    n = draw(st.integers(2, 6))
    pairs = [(a, b) for a in range(n) for b in range(n) if a != b]
    chosen = draw(st.lists(st.sampled_from(pairs), min_size=1, max_size=10, unique=True))
    equal = draw(st.booleans())
    return n, [(a, b, 0.1 if equal else draw(RATE)) for a, b in chosen]


def closed_model(network):
    """Make a model in which nothing is lost: every compartment can be dosed and measured."""
    n, flows = network
    names = tuple(f"c{i}" for i in range(n))
    rates = [
        Parameter(name=f"k{i}", value=rate, unit="1/min") for i, (_, _, rate) in enumerate(flows)
    ]
    return CompartmentModel(
        name="random",
        drug="drug",
        site="mixed",
        compartments=names,
        parameters=(Parameter(name="litre", value=1.0, unit="L"), *rates),
        flows=tuple(
            Flow(source=names[a], target=names[b], numerator=f"k{i}")
            for i, (a, b, _) in enumerate(flows)
        ),
        analytes=tuple(Analyte(name=c, compartment=c, volume="litre") for c in names),
        routes=tuple(Route(name=c, compartment=c) for c in names),
    )


DOSES = st.lists(
    st.tuples(
        st.integers(0, 5),
        st.floats(0.1, 100),
        st.floats(-60, 60),
        st.sampled_from([0.0, 1.0, 7.3, 40.0]),
    ),
    min_size=1,
    max_size=4,
)


def make_doses(numbers, routes=("intravenous",)):
    return [
        DoseInput(
            route=routes[route % len(routes)],
            amount_mg=amount,
            start_min=start,
            duration_min=duration,
        )
        for route, amount, start, duration in numbers
    ]


def amounts(model, given_doses, times):
    """Milligrams per compartment."""
    return np.array(
        [
            concentration(model, given_doses, times, analyte=name) / 1000
            for name in model.compartments
        ]
    )


KETAMINE = st.sampled_from([name for name in model_names() if name != "hussein"])


@settings(max_examples=25, deadline=None)
@given(networks(), DOSES)
def test_nothing_is_lost_or_made(network, numbers):
    model = closed_model(network)
    events = make_doses(numbers, model.compartments)
    found = amounts(model, events, TIMES)
    expected = [
        sum(
            dose.amount_mg
            * (
                float(t >= dose.start_min)
                if dose.duration_min == 0
                else np.clip((t - dose.start_min) / dose.duration_min, 0, 1)
            )
            for dose in events
        )
        for t in TIMES
    ]
    np.testing.assert_allclose(found.sum(axis=0), expected, rtol=1e-11, atol=1e-9)
    assert (found >= 0).all()


@settings(max_examples=15, deadline=None)
@given(networks(), DOSES, st.floats(0, 30))
def test_a_course_can_be_taken_up_anywhere(network, numbers, wait):
    model = closed_model(network)
    events = make_doses(numbers, model.compartments)
    middle = wait + max(dose.start_min + dose.duration_min for dose in events)
    state = amounts(model, events, np.array([middle]))[:, 0]
    again = [
        DoseInput(route=name, amount_mg=float(amount), start_min=middle)
        for name, amount in zip(model.compartments, state, strict=True)
    ]
    later = middle + np.array([0.5, 10.0, 200.0])
    whole, restarted = amounts(model, events, later), amounts(model, again, later)
    np.testing.assert_allclose(restarted, whole, rtol=1e-10, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(KETAMINE, DOSES, DOSES, st.floats(0.01, 50))
def test_superposition_and_dose_linearity(name, numbers, others, factor):
    first, second = make_doses(numbers), make_doses(others)
    person = typical_individual(find_model(name), 61.0)
    one, other = (concentrations(person, part, TIMES) for part in (first, second))
    together = concentrations(person, [*first, *second], TIMES)
    np.testing.assert_allclose(together, one + other, rtol=1e-10, atol=1e-9)
    more = concentrations(person, first, TIMES, dose_factors=np.array([factor]))
    np.testing.assert_allclose(more, factor * one, rtol=1e-10, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(KETAMINE, DOSES, st.floats(-300, 300))
def test_time_has_no_origin(name, numbers, shift):
    events = make_doses(numbers)
    person = typical_individual(find_model(name), 80.0)
    # At a bolus itself the rounding of a shifted time would decide.
    times = TIMES[[min(abs(t - dose.start_min) for dose in events) > 1e-6 for t in TIMES]]
    moved = [
        DoseInput(
            route=dose.route,
            amount_mg=dose.amount_mg,
            start_min=dose.start_min + shift,
            duration_min=dose.duration_min,
        )
        for dose in events
    ]
    np.testing.assert_allclose(
        concentrations(person, moved, times + shift),
        concentrations(person, events, times),
        rtol=1e-9,
        atol=1e-7,
    )


@settings(max_examples=20, deadline=None)
@given(KETAMINE, st.floats(1e-5, 1e-3))
def test_a_bolus_is_the_limit_of_short_infusions(name, minutes):
    person = typical_individual(find_model(name), 80.0)
    times = np.array([0.5, 1.0, 5.0, 60.0])

    def course(duration):
        dose = DoseInput(route="intravenous", amount_mg=20.0, start_min=0.0, duration_min=duration)
        return concentrations(person, [dose], times)

    # The fastest rate constant is about 2 per minute, its mean delay half the duration.
    np.testing.assert_allclose(course(minutes), course(0.0), rtol=2 * minutes)


@pytest.mark.parametrize(
    ("name", "analyte"),
    [
        ("domino", None),
        ("clements", None),
        ("kamp", None),
        ("simons", "ketamine"),
        ("simons", "norketamine"),
        ("simons", "hydroxynorketamine"),
        ("fanta_otto", "norketamine"),
        ("perez_ruixo", "norketamine"),
        ("hussein", None),
    ],
)
def test_against_stepwise_integration(name, analyte):
    model = find_model(name)
    person = (
        draw_individuals(model, 1, rng=np.random.default_rng(5), weight_kg=64.0)
        if any(p.variance for p in model.parameters)
        else typical_individual(model, 64.0)
    )
    A = rate_matrices(person)[0]
    found = next(a for a in model.analytes if analyte in {None, a.name})
    route = model.routes[0]
    entry = model.compartments.index(route.compartment)
    seen = model.compartments.index(found.compartment)
    names = [parameter.name for parameter in model.parameters]
    volume = person.values[0, names.index(found.volume)]
    ke0 = 0.2

    def slope(_, state, rate):
        change = A @ state[:-1]
        change[entry] += rate
        plasma = 1000 * found.mass_ratio * state[seen] / volume
        return np.append(change, ke0 * (plasma - state[-1]))

    state, plasma, effect = np.zeros(len(A) + 1), [], []
    stops = [(1.5, 12.0), (30.0, 0.25), (240.0, 0.0)]
    start = 0.0
    for stop, rate in stops:
        steps = solve_ivp(slope, (start, stop), state, args=(rate,), rtol=1e-10, atol=1e-13)
        state, start = steps.y[:, -1], stop
        plasma.append(1000 * found.mass_ratio * state[seen] / volume)
        effect.append(state[-1])
    given_doses = [
        DoseInput(route=route.name, amount_mg=18.0, start_min=0.0, duration_min=1.5),
        DoseInput(route=route.name, amount_mg=0.25 * 28.5, start_min=1.5, duration_min=28.5),
    ]
    times = np.array([stop for stop, _ in stops])
    ours = concentrations(person, given_doses, times, analyte=analyte)[0]
    np.testing.assert_allclose(ours, plasma, rtol=1e-6)
    ours = concentrations(person, given_doses, times, analyte=analyte, ke0_per_min=ke0)[0]
    np.testing.assert_allclose(ours, effect, rtol=1e-6)


@settings(max_examples=20, deadline=None)
@given(KETAMINE, DOSES, st.integers(12, 200), st.floats(0.01, 2))
def test_grid_and_single_steps_agree(name, numbers, n, width):
    events = make_doses(numbers)
    person = typical_individual(find_model(name), 70.0)
    grid = width * np.arange(n) + 0.123
    single = np.array([concentrations(person, events, grid[i : i + 1])[0, 0] for i in (0, n - 1)])
    np.testing.assert_allclose(
        concentrations(person, events, grid)[0, [0, n - 1]], single, rtol=1e-10
    )


@settings(max_examples=20, deadline=None)
@given(KETAMINE, DOSES)
def test_means_over_bins_add_up(name, numbers):
    events = make_doses(numbers)
    person = typical_individual(find_model(name), 70.0)
    fine = np.linspace(-70, 120, 39)
    means = mean_concentrations(person, events, fine)[0]
    wide = mean_concentrations(person, events, fine[::19])[0]
    np.testing.assert_allclose(means.reshape(2, 19).mean(axis=1), wide, rtol=1e-9, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(networks(), st.floats(1e-3, 1e3))
def test_exponential_against_pade(network, minutes):
    A = rate_matrices(typical_individual(closed_model(network))) * minutes
    np.testing.assert_allclose(exponential(A)[0], expm(A[0]), rtol=1e-9, atol=1e-11)


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 10), RATE, st.floats(1e-3, 300))
def test_equal_eigenvalues_keep_all_digits(n, rate, minutes):
    # A chain of equal compartments: the content of the i-th is Poisson's probability.
    A = rate * (np.diag(np.ones(n - 1), -1) - np.eye(n))
    x = rate * minutes
    expected = np.cumprod([1.0, *(x / np.arange(1, n))]) * np.exp(-x)
    np.testing.assert_allclose(exponential(A[None] * minutes)[0, :, 0], expected, rtol=1e-11)
