"""Small trials that the tests of this folder share."""

import numpy as np

from phmri.group import UnitTable
from phmri.group.longitudinal import LongSettings, make_long_table
from phmri.protocol import Crossover, Parallel, Question

ARMS = ("PLA", "KET", "LTG")
SESSIONS = ("pre", "acute", "day")
ORDERS = {
    name: {"treatments": tuple({"P": "PLA", "K": "KET", "L": "LTG"}[letter] for letter in name)}
    for name in ("PKL", "KLP", "LPK", "LKP", "PLK", "KPL")
}


def ask(contrast=("KET", "PLA"), estimator="change", **fields):
    fields = {"session": "acute", "baseline": "pre"} | fields if estimator == "change" else fields
    return Question(
        text="t", role="primary", measure="m", contrast=contrast, estimator=estimator, **fields
    )


def units(groups, *, strata=None, **covariates):
    return UnitTable(
        subjects=tuple(f"{k:02d}" for k in range(len(groups))),
        groups=tuple(groups),
        strata=tuple(strata) if strata else ("",) * len(groups),
        covariates={k: np.asarray(v, dtype=float)[:, None] for k, v in covariates.items()},
    )


def parallel(n_each=6, lost=(), *, strata=None, **covariates):
    """Give the table of three arms; ``lost`` are pairs of participant and session."""
    groups = [ARMS[k % 3] for k in range(3 * n_each)]
    table = units(groups, strata=strata, **covariates)
    cells = {
        subject: frozenset(s for s in SESSIONS if (subject, s) not in lost)
        for subject in table.subjects
    }
    trial = Parallel(kind="parallel", arms={a: {"treatment": a} for a in ARMS})
    return make_long_table(ask(), trial, table, cells, sessions=SESSIONS)


def crossover(n_each=2, lost=(), orders=None, **covariates):
    """Give the table of a crossover; ``lost`` are pairs of participant and period."""
    orders = ORDERS if orders is None else orders
    trial = Crossover(kind="crossover", sequences=orders)
    table = units([*orders] * n_each, **covariates)
    cells = {
        subject: frozenset(
            p
            for p in range(1, len(trial.sequences[group].treatments) + 1)
            if (subject, p) not in lost
        )
        for subject, group in zip(table.subjects, table.groups, strict=True)
    }
    return make_long_table(ask(estimator="crossover"), trial, table, cells)


def settings(model, **fields):
    """Ask KET - PLA at the acute session, or of a crossover when ``session=None`` is given."""
    given = {"contrast": ("KET", "PLA")}
    if model != "fixed_subject" and "session" not in fields:
        given |= {"session": "acute", "baseline": "pre"}
    return LongSettings(model=model, **(given | fields))


TWO_EXPERIMENTS = {
    "KP": {"experiment": "one", "treatments": ("KET", "PLA")},
    "PK": {"experiment": "one", "treatments": ("PLA", "KET")},
    "AL": {"experiment": "two", "treatments": ("PLAKET", "LTGKET")},
    "LA": {"experiment": "two", "treatments": ("LTGKET", "PLAKET")},
}
"""KET against PLA in some people; placebo and lamotrigine before KET in others."""


def over_two(**fields):
    """Ask whether lamotrigine blocks ketamine, over two experiments."""
    asked = {
        "model": "mixed",
        "contrast": ("PLAKET", "LTGKET"),
        "references": ("PLA", "PLA"),
        "reference_drug": "KET",
    }
    return LongSettings(**(asked | fields))
