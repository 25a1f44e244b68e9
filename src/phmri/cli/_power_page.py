"""Power as a page, and as a paragraph for a grant."""

import base64
from html import escape
from textwrap import fill

from phmri import __version__
from phmri.cli._power_tables import topic_title
from phmri.simulation import power

__all__ = ["grant_text", "power_page"]

_WIDTH = 88
_REFERENCES = {
    "ancova": "Borm, Fransen and Lemmens (2007), doi:10.1016/j.jclinepi.2007.02.006",
    "equivalence": "Schuirmann (1987), doi:10.1007/BF01068419",
    "crossover": "Senn (2002), Cross-over Trials in Clinical Research, doi:10.1002/0470854596",
    "blockade": "Nieuwenhuis, Forstmann and Wagenmakers (2011), doi:10.1038/nn.2886",
    "shuffling": "Winkler et al. (2014), doi:10.1016/j.neuroimage.2014.01.060",
}
_CSS = """
body { font: 15px/1.5 "DejaVu Sans", sans-serif; color: #1f2933; max-width: 72rem;
       margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; font-size: 0.85rem; margin: 0.5rem 0; }
th, td { padding: 0.2rem 0.6rem; text-align: right; border-bottom: 1px solid #d9dee3; }
th:first-child, td:first-child { text-align: left; }
.mark { color: #b42318; font-weight: bold; } .note { color: #66727f; font-size: 0.85rem; }
small { color: #66727f; } img { max-width: 100%; } pre { white-space: pre-wrap; }
"""


def grant_text(study: power.PowerStudy) -> str:
    """Write the planning of the sample size as text for a grant.

    Parameters
    ----------
    study : PowerStudy

    Returns
    -------
    str
        Numbers, assumptions, effects with their sources, references.
    """
    plan = study.plan
    asked = (
        f"Sample size. {study.title.rstrip('.')} ({study.design}). "
        f"Power of {plan.target:.0%} was asked for:"
    )
    needed = "\n".join(_item(_topic_text(found)) for found in study.topics)
    paragraphs = [_pairing_text(study), _assumptions(study)]
    sources = dict.fromkeys(
        text
        for found in study.topics
        for text in (
            found.topic.source,
            *(f"{size.label} ({size.value:.2f}): {size.source}" for size in found.topic.sizes),
        )
    )
    blocks = [f"{fill(asked, _WIDTH)}\n{needed}"]
    blocks += [fill(text, _WIDTH) for text in paragraphs if text]
    blocks.append("Effects are of:\n" + "\n".join(map(_item, sources)))
    blocks.append("References\n" + "\n".join(map(_item, _references(study))))
    return "\n\n".join(blocks) + "\n"


def _item(text: str) -> str:
    return fill(f"- {text}", _WIDTH, subsequent_indent="  ")


def _topic_text(found: power.TopicPower) -> str:
    topic = found.topic
    symbol = "r" if topic.about == "correlation" else "dz"
    needs = []
    for size in topic.sizes:
        need = next(one for one in found.needs if one.size == size.label)
        effect = f"{symbol} = {size.value:.2f}"
        if need.n is None:
            needs.append(f"no trial would do for {effect}")
        elif topic.unit == "per arm":
            needs.append(f"{need.n:,} per arm ({need.n_participants:,} in all) for {effect}")
        else:
            needs.append(f"{need.n:,} in all for {effect}")
    basis = "by simulation" if topic.closed is None else "by closed form"
    text = (
        f"{topic_title(topic)} ({topic.design}; alpha {topic.alpha:g}, {topic.alternative}; "
        f"{basis}): {'; '.join(needs)}."
    )
    return text + _planned_text(found)


def _planned_text(found: power.TopicPower) -> str:
    topic = found.topic
    rows = [row for row in found.rows if row.n == topic.planned]
    known = []
    for row in rows:
        effect = f"for {row.effect:.2f}"
        if row.closed is not None:
            known.append(f"{row.closed:.2f} {effect}")
        elif row.simulated is not None:
            low, high = row.simulated.interval
            known.append(f"{row.simulated.power:.2f} ({low:.2f} to {high:.2f}) {effect}")
    if not known:
        return ""
    return f" The planned {topic.planned} {topic.unit} have power {', '.join(known)}."


def _pairing_text(study: power.PowerStudy) -> str:
    said = []
    first: dict[str, float] = {}
    for one in study.pairings:
        if one.need is None or first.setdefault(one.measure, one.correlation) != one.correlation:
            continue
        said.append(
            f"{one.measure}, dz = {one.size.value:.2f}: {one.need.parallel_participants:,} "
            f"participants in parallel against {one.need.crossover_participants:,}"
        )
    if not said:
        return ""
    n = study.pairings[0].n_treatments
    return (
        f"For one number, {n} parallel arms adjusted for a baseline against a crossover of {n} "
        f"periods would take ({'; '.join(said)}). The comparison leaves out carry-over, people "
        "who do not come back, and blinding lost after the first session, all of which speak "
        "against the crossover."
    )


def _assumptions(study: power.PowerStudy) -> str:
    plan = study.plan
    topics = [found.topic for found in study.topics if len(found.topic.correlations) > 1]
    told = sorted({(topic.correlation, topic.assumed) for topic in topics})
    words = ", ".join(
        f"{rho:g} (assumed, not measured)" if assumed else f"{rho:g}" for rho, assumed in told
    )
    text = "Assumptions: normal outcomes of one variance in all arms"
    if words:
        text += f"; two sessions of one person correlate by {words}"
    text += f"; {plan.missing:.0%} of scans are lost at random; no carry-over. "
    text += (
        "dz is the effect over the standard deviation of within-person differences; between "
        "people it is d = dz √(2(1 − R)) standard deviations. "
    )
    if plan.simulated:
        text += (
            f"Simulated power is of {plan.effort.n_trials:,} trials of each case (maps: as many "
            f"as their notes say), seed {plan.effort.seed}, analysed by the estimators and the "
            f"inference of the registered analysis (phmri {__version__}). "
        )
    notes = dict.fromkeys(note for found in study.topics for note in found.topic.notes)
    return (text + " ".join((*notes, *study.pilot))).strip()


def _references(study: power.PowerStudy) -> list[str]:
    words = " ".join(f"{found.topic.design} {found.topic.about}" for found in study.topics)
    keys = [key for key in ("ancova", "equivalence", "crossover", "blockade") if key in words]
    if "crossover" not in keys and study.pairings:
        keys.append("crossover")
    return [_REFERENCES[key] for key in (*keys, "shuffling")]


def power_page(study: power.PowerStudy, png: bytes, grant: str) -> str:
    """Write one HTML page that needs no other file.

    Parameters
    ----------
    study : PowerStudy
    png : bytes
        The figure.
    grant : str
        Text for a grant.

    Returns
    -------
    str
    """
    image = base64.b64encode(png).decode("ascii")
    parts = [
        f"<h1>Power: {escape(study.title)}</h1>",
        (
            f"<p>{escape(study.design)}. <span class='mark'>Simulated or assumed data</span>; "
            "small numbers under a power are of simulated trials with their 95 % interval.</p>"
        ),
        f"<img alt='Power curves' src='data:image/png;base64,{image}'>",
        *map(_topic_html, study.topics),
        *(
            f"<p>{escape(name)}: no power. {escape(why)}</p>"
            for name, why in study.refused.items()
        ),
        "<h2>Parallel against crossover</h2>",
        _pairings_html(study),
        "<h2>Text for a grant</h2>",
        f"<pre>{escape(grant)}</pre>",
    ]
    head = (
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>"
        f"<title>Power: {escape(study.name)}</title><style>{_CSS}</style></head><body>"
    )
    return head + "\n".join(parts) + "</body></html>\n"


def _row(cells: list[str], tag: str = "td") -> str:
    return "<tr>" + "".join(f"<{tag}>{cell}</{tag}>" for cell in cells) + "</tr>"


def _topic_html(found: power.TopicPower) -> str:
    topic = found.topic
    head = ["effect", *(f"n = {n}" for n in topic.ns)]
    head += [f"needed (R {rho:g})" if rho else "needed" for rho in topic.correlations]
    rows = [_row(head, "th")]
    for size in topic.sizes:
        cells = [f"{escape(size.label)} {size.value:.2f}<br><small>{escape(size.source)}</small>"]
        cells += [_power_html(row) for row in found.rows if row.size == size.label]
        needs = [need for need in found.needs if need.size == size.label]
        cells += ["none" if need.n is None else f"{need.n:,}" for need in needs]
        rows.append(_row(cells))
    notes = [
        f"{topic.design}; alpha {topic.alpha:g}, {topic.alternative}; n {topic.unit}.",
        f"Effects: {topic.source}",
        *((f"The closed form is approximate: {topic.doubt}.",) if topic.doubt else ()),
        *topic.notes,
    ]
    return (
        f"<h2>{escape(topic_title(topic))}</h2><p>Questions: {escape(', '.join(topic.names))}</p>"
        f"<table>{''.join(rows)}</table><p class='note'>{escape(' '.join(notes))}</p>"
    )


def _power_html(row: power.PowerRow) -> str:
    closed = "" if row.closed is None else f"{row.closed:.2f}"
    if row.simulated is None:
        return closed or "–"
    low, high = row.simulated.interval
    return f"{closed}<br><small>{row.simulated.power:.2f} ({low:.2f} to {high:.2f})</small>"


def _pairings_html(study: power.PowerStudy) -> str:
    head = ["measure", "effect (dz)", "R", "parallel, in all", "crossover, in all"]
    rows = [_row(head, "th")]
    for one in study.pairings:
        need = one.need
        designs = (
            ["none", "none"]
            if need is None
            else [
                f"{need.parallel_participants:,} ({need.parallel_scans:,} scans)",
                f"{need.crossover_participants:,} ({need.crossover_scans:,} scans)",
            ]
        )
        effect = f"{escape(one.size.label)} {one.size.value:.2f}"
        rows.append(_row([escape(one.measure), effect, f"{one.correlation:g}", *designs]))
    return f"<table>{''.join(rows)}</table>"
