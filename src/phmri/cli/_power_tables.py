"""Power as tables: for the terminal, and for files."""

from dataclasses import asdict

import pandas as pd
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from phmri.simulation import power

__all__ = ["needs_table", "pairings_table", "power_rows", "study_record", "topic_title"]

_NAMED = 2
_NONE = "–"


def topic_title(topic: power.Topic) -> str:
    """Name a topic: its questions, and what is found.

    Parameters
    ----------
    topic : Topic

    Returns
    -------
    str
    """
    names = ", ".join(topic.names[:_NAMED])
    more = len(topic.names) - _NAMED
    return f"{names}{f' and {more} more' if more > 0 else ''}: {topic.about}"


def needs_table(found: power.TopicPower, plan: power.PowerPlan) -> Table:
    """Lay out the power of a topic: sizes of effect x sizes of trial, and participants needed.

    Parameters
    ----------
    found : TopicPower
    plan : PowerPlan

    Returns
    -------
    rich.table.Table
    """
    topic = found.topic
    caption = [f"{topic.design}; alpha {topic.alpha:g}, {topic.alternative}"]
    if topic.doubt:
        caption.append(f"closed form approximate: {topic.doubt}")
    caption += [note.rstrip(".") for note in topic.notes]
    table = Table(
        title=Text(topic_title(topic), style="table.title"),
        title_justify="left",
        caption=Text(". ".join(caption) + ".", style="dim"),
        caption_justify="left",
    )
    symbol = "r" if topic.about == "correlation" else "dz"
    table.add_column(f"n {topic.unit}", no_wrap=True)
    for size in topic.sizes:
        table.add_column(f"{size.label}\n{symbol} {size.value:.2f}", justify="right")
    for n in topic.ns:
        rows = [row for row in found.rows if row.n == n]
        mark = " (planned)" if n == topic.planned else ""
        table.add_row(f"{n}{mark}", *map(_cell, rows), end_section=n == topic.ns[-1])
    for rho in topic.correlations:
        needs = [need for need in found.needs if need.correlation == rho]
        at = f", R {rho:g}" if len(topic.correlations) > 1 else ""
        table.add_row(f"for {plan.target:.0%}{at}", *map(_need, needs), style="bold")
    return table


def _cell(row: power.PowerRow) -> str:
    closed = "" if row.closed is None else f"{row.closed:.2f}"
    if row.simulated is None:
        return closed or _NONE
    low, high = row.simulated.interval
    simulated = f"{row.simulated.power:.2f} ({low:.2f}-{high:.2f})"
    return f"{closed}  [dim]{simulated}[/dim]".strip()


def _need(need: power.Need) -> str:
    return "none" if need.n is None else f"{need.n:,}"


def pairings_table(study: power.PowerStudy) -> Table:
    """Lay out what the same effects need in a parallel trial and in a crossover.

    Parameters
    ----------
    study : PowerStudy

    Returns
    -------
    rich.table.Table
        Participants in all; in a parallel trial they hang on the correlation R.
    """
    table = Table(
        title=f"Parallel against crossover: participants in all for {study.plan.target:.0%}",
        title_justify="left",
        caption="One number. Left out, and against the crossover: carry-over, people who do not "
        "come back, blinding lost after the first session.",
        caption_justify="left",
    )
    correlations = tuple(dict.fromkeys(one.correlation for one in study.pairings))
    headings = (
        "measure",
        "effect (dz)",
        "crossover",
        *(f"parallel, R {r:g}" for r in correlations),
    )
    for name in headings:
        table.add_column(name, overflow="fold")
    rows: dict[tuple[str, str], list[power.Pairing]] = {}
    for one in study.pairings:
        rows.setdefault((one.measure, f"{one.size.label} {one.size.value:.2f}"), []).append(one)
    for (measure, effect), members in rows.items():
        needs = [one.need for one in members]
        within = "none" if needs[0] is None else f"{needs[0].crossover_participants:,}"
        between = ("none" if one is None else f"{one.parallel_participants:,}" for one in needs)
        table.add_row(escape(measure), escape(effect), within, *between)
    return table


def power_rows(study: power.PowerStudy) -> pd.DataFrame:
    """List power of every topic, effect and size of trial, and then the participants needed.

    Parameters
    ----------
    study : PowerStudy

    Returns
    -------
    DataFrame
        Column ``row``: ``power`` or ``needed``.
    """
    rows = []
    for found in study.topics:
        topic = found.topic
        shared = {
            "questions": ",".join(topic.names),
            "about": topic.about,
            "design": topic.design,
            "unit": topic.unit,
            "alpha": topic.alpha,
            "alternative": topic.alternative,
        }
        for row in found.rows:
            low, high = (None, None) if row.simulated is None else row.simulated.interval
            rows.append(
                {
                    "row": "power",
                    **shared,
                    "effect": row.size,
                    "effect_size": row.effect,
                    "correlation": topic.correlation,
                    "n": row.n,
                    "n_participants": row.n_participants,
                    "power": row.closed,
                    "simulated": None if row.simulated is None else row.simulated.power,
                    "low": low,
                    "high": high,
                    "n_trials": None if row.simulated is None else row.simulated.n_trials,
                }
            )
        rows += [
            {
                "row": "needed",
                **shared,
                "effect": need.size,
                "effect_size": need.effect,
                "correlation": need.correlation,
                "n": need.n,
                "n_participants": need.n_participants,
                "power": study.plan.target,
            }
            for need in found.needs
        ]
    table = pd.DataFrame(rows)
    for name in ("n", "n_participants", "n_trials"):
        table[name] = table[name].astype("Int64")
    return table


def study_record(study: power.PowerStudy) -> dict[str, object]:
    """Give everything as plain values, for JSON.

    Parameters
    ----------
    study : PowerStudy

    Returns
    -------
    dict
    """
    return {
        "simulated": True,
        "name": study.name,
        "title": study.title,
        "design": study.design,
        # Not the number of threads, which changes nothing.
        "plan": asdict(study.plan)
        | {"effort": {"n_trials": study.plan.effort.n_trials, "seed": study.plan.effort.seed}},
        "topics": [_topic_record(found) for found in study.topics],
        "pairings": [asdict(pairing) for pairing in study.pairings],
        "refused": study.refused,
        "pilot": list(study.pilot),
    }


def _topic_record(found: power.TopicPower) -> dict[str, object]:
    topic = found.topic
    return {
        "questions": list(topic.names),
        "about": topic.about,
        "unit": topic.unit,
        "design": topic.design,
        "alpha": topic.alpha,
        "alternative": topic.alternative,
        "correlations": list(topic.correlations),
        "planned": topic.planned,
        "effects": [asdict(size) for size in topic.sizes],
        "effects_are_of": topic.source,
        "closed_form_doubt": topic.doubt,
        "notes": list(topic.notes),
        "power": [
            asdict(row) | {"interval": None if row.simulated is None else row.simulated.interval}
            for row in found.rows
        ],
        "needed": [asdict(need) for need in found.needs],
        "curves": [asdict(curve) for curve in found.curves],
    }
