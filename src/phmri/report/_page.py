"""The page: the report's content turned into text, tables and figures, and written."""

import math
from dataclasses import dataclass, replace
from pathlib import Path

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from phmri.dataset import write_text
from phmri.inference import Claim, Peak
from phmri.report._across_records import FamilyMemberContent
from phmri.report._anatomy import background_sentence
from phmri.report._asides import Aside, make_asides, make_association
from phmri.report._association import correlation_symbol, format_signed
from phmri.report._blockade import blockade_badge
from phmri.report._clusters import ClusterTable, make_cluster_table
from phmri.report._correction import (
    headline,
    is_single,
    least_pvalue,
    method_words,
    own_df,
    passes,
    pvalue_word,
    statistic_of_df,
    statistic_symbol,
)
from phmri.report._figures import Picture, Pictures
from phmri.report._made import (
    association_made,
    correction_sentence,
    is_warning,
    made_lines,
    warning_sentences,
)
from phmri.report._map_association import make_map_association
from phmri.report._quality import quality_rows
from phmri.report._records import QuestionContent, ReportContent
from phmri.report._reliability import make_reliability
from phmri.report._text import (
    Bibliography,
    format_df,
    format_effect,
    format_number,
    format_pvalue,
    join_sentences,
    plural,
)
from phmri.report._trial import (
    group_word,
    question_anchor,
    ranked_questions,
    sizes,
    treatment_names,
)
from phmri.report._words import (
    across_sentence,
    describe_region,
    estimand_lines,
    limits,
    region_sentences,
)

__all__ = ["write_report"]

_LISTED = 12
_LISTED_OF_NULL, _CHANCE = 10, 0.5
"""Of a question in which nothing was found: how many outcomes, and below which p."""
_VERDICTS = {
    "found": "Found",
    "not found": "Not found",
    "refused": "Refused",
    "not tested": "Not tested",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Block:
    """A question as the page shows it."""

    anchor: str
    content: QuestionContent
    claim: Claim
    verdict: str
    selected: bool
    headline: Peak | None
    pvalue: float
    pvalue_word: str
    method: str
    symbol: str
    head: str
    df: dict[int, str]
    single: bool
    sided: str
    blockade: str
    listed: tuple[Peak, ...]
    further: tuple[Peak, ...]
    cut: str
    sizes: str
    clusters: ClusterTable | None
    estimand: tuple[tuple[str, str], ...]
    made: tuple[tuple[str, str], ...]
    correction: str
    warnings: tuple[Markup, ...]
    notes: tuple[Markup, ...]
    pictures: tuple[Picture, ...]
    asides: tuple[Aside, ...]


def write_report(content: ReportContent, path: Path) -> Path:
    """Write the report as one HTML file that needs no other.

    Parameters
    ----------
    content : ReportContent
        Everything the report shows.
    path : Path
        Replaced whole, or left as it was.

    Returns
    -------
    Path
        `path`.

    Notes
    -----
    The same content gives the same bytes. All texts are escaped; the only links that leave the
    page are DOIs.
    """
    return write_text(path, _render(content))


def _render(content: ReportContent) -> str:
    environment, bibliography = _environment(), Bibliography()
    parts = _numbered_parts(content, bibliography)
    page: str = environment.get_template("report.html.j2").render(
        {
            **_facts(content),
            **parts,
            "references": bibliography.references,
            "style": Markup(environment.get_template("report.css").render()),
        }
    )
    return page


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("phmri.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "degrees": format_df,
        "number": format_number,
        "effect": format_effect,
        "pvalue": format_pvalue,
        "signed": format_signed,
        "correlation": correlation_symbol,
        "passes": passes,
        "plural": plural,
    }
    return environment


def _numbered_parts(content: ReportContent, bibliography: Bibliography) -> dict[str, object]:
    """Make what holds figures and citations, in the order in which these are numbered."""
    pictures = Pictures(content)
    front = {
        name: getattr(pictures, name)()
        for name in ("flow", "completeness", "exposure", "quality", "regions")
    }
    families = [(family, bibliography.cite(family.correction)) for family in content.families]
    of_families = _of_families(content)
    blocks = tuple(
        _make_block(
            content,
            question,
            pictures,
            bibliography,
            members=of_families.get(question.claim.question, ()),
        )
        for question in ranked_questions(content)
    )
    associations = tuple(
        make_association(association, pictures, bibliography)
        for association in content.associations
    )
    methods = _cited(bibliography, (*content.methods, *region_sentences(content)))
    question_methods = [
        (of, _cited(bibliography, sentences))
        for of, sentences in (*_said_once(blocks), *_of_associations(content))
    ]
    reliabilities = tuple(
        make_reliability(content, reliability, pictures, bibliography)
        for reliability in content.reliabilities
    )
    map_associations = tuple(
        make_map_association(content, item, pictures, bibliography)
        for item in content.map_associations
    )
    return {
        "front": front,
        "families": families,
        "of_families": of_families,
        "blocks": blocks,
        "associations": associations,
        "methods": methods,
        "question_methods": question_methods,
        "reliabilities": reliabilities,
        "map_associations": map_associations,
    }


def _facts(content: ReportContent) -> dict[str, object]:
    """Look up what holds neither figures nor citations."""
    protocol = content.protocol
    known = any(math.isfinite(run.mean_fd_mm) for run in content.runs)
    return {
        "content": content,
        "protocol": protocol,
        "population_labels": {
            name: item.label or name for name, item in protocol.populations.items()
        },
        "verdicts": _VERDICTS,
        "quality": quality_rows(content),
        "group_word": group_word(protocol),
        "motion_known": known or not content.runs,
        "trial_references": tuple(protocol.references),
        "across": across_sentence(content),
        "limits": limits(content),
        "region_rows": _region_rows(content),
        "treatments": treatment_names(protocol),
        "document": _as_yaml(content),
        "background": background_sentence(mni=protocol.space.startswith("MNI")),
    }


def _make_block(
    content: ReportContent,
    question: QuestionContent,
    pictures: Pictures,
    bibliography: Bibliography,
    *,
    members: tuple[FamilyMemberContent, ...],
) -> _Block:
    claim = question.claim
    warnings = _cited(bibliography, warning_sentences(claim))
    clusters = make_cluster_table(content.protocol, claim)
    if clusters is not None:
        clusters = replace(clusters, caption=bibliography.cite(clusters.caption))
    notes = tuple(note for note in claim.notes if not is_warning(note))
    listed, further, cut = _choose_peaks(claim)
    shown, df = headline(claim), own_df(question)
    return _Block(
        anchor=question_anchor(claim.question),
        content=question,
        claim=claim,
        verdict=_VERDICTS[claim.verdict],
        selected=claim.outcome != "scalar",
        headline=shown,
        pvalue=least_pvalue(claim),
        pvalue_word=pvalue_word(claim),
        method=method_words(claim),
        symbol=statistic_of_df(claim, df.get(shown.index, "") if shown else ""),
        head=statistic_symbol(claim) if df else statistic_of_df(claim),
        df=df,
        single=is_single(claim),
        sided="" if claim.alternative == "two-sided" else "one-sided, ",
        blockade=blockade_badge(question, members),
        listed=listed,
        further=further,
        cut=cut,
        sizes=sizes(content.protocol, claim),
        clusters=clusters,
        estimand=estimand_lines(content.protocol, claim),
        made=made_lines(content.protocol, claim),
        correction=correction_sentence(claim),
        warnings=warnings,
        notes=tuple(bibliography.cite(note) for note in notes),
        pictures=pictures.of_question(question),
        asides=make_asides(question, pictures, bibliography, members),
    )


def _choose_peaks(claim: Claim) -> tuple[tuple[Peak, ...], tuple[Peak, ...], str]:
    """Give the outcomes to be listed, those behind a click, and what is said of the rest."""
    if claim.verdict == "found":
        return claim.peaks[:_LISTED], claim.peaks[_LISTED:], ""
    unlikely = tuple(peak for peak in claim.peaks if peak.pvalue_corrected < _CHANCE)
    listed = unlikely[:_LISTED_OF_NULL] or claim.peaks[:1]
    n_more = len(claim.peaks) - len(listed)
    file = f"question-{claim.question.replace('_', '')}_peaks.tsv"
    cut = f"{plural(n_more, 'further outcome')}, of larger p: see {file}." if n_more else ""
    return listed, (), cut


def _of_families(content: ReportContent) -> dict[str, tuple[FamilyMemberContent, ...]]:
    """Look up what the families say of a question."""
    found: dict[str, tuple[FamilyMemberContent, ...]] = {}
    for family in content.families:
        for member in family.rows:
            found[member.question] = (*found.get(member.question, ()), member)
    return found


def _said_once(blocks: tuple[_Block, ...]) -> list[tuple[str, tuple[str, ...]]]:
    """Sort the sentences of all questions by the questions they are said of, each said once."""
    answered = [block for block in blocks if block.claim.verdict != "refused"]
    said_of: dict[str, list[str]] = {}
    for block in answered:
        for sentence in join_sentences((*block.claim.sentences, block.correction)):
            said_of.setdefault(sentence, []).append(block.claim.question)
    grouped: dict[tuple[str, ...], list[str]] = {}
    for sentence, questions in said_of.items():
        grouped.setdefault(tuple(questions), []).append(sentence)
    widest_first = sorted(grouped.items(), key=lambda item: -len(item[0]))
    return [
        (
            "All questions" if len(answered) == len(questions) > 1 else ", ".join(questions),
            tuple(sentences),
        )
        for questions, sentences in widest_first
    ]


def _of_associations(content: ReportContent) -> list[tuple[str, tuple[str, ...]]]:
    """Sort the sentences of all associations by who they are said of."""
    said_of: dict[tuple[str, ...], list[str]] = {}
    parts = (part for item in content.associations for part in (item, item.between))
    for item in filter(None, parts):
        if item.verdict != "refused":
            sentences = (*item.sentences, *(text for _, text in association_made(item)[:1]))
            name = f"{item.name} ({item.part} persons)" if item.part else item.name
            said_of.setdefault(join_sentences(sentences), []).append(name)
    return [(", ".join(names), sentences) for sentences, names in said_of.items() if sentences]


def _cited(bibliography: Bibliography, sentences: tuple[str, ...]) -> tuple[Markup, ...]:
    return tuple(bibliography.cite(sentence) for sentence in join_sentences(sentences))


def _region_rows(content: ReportContent) -> tuple[dict[str, object], ...]:
    rows = []
    for region in content.regions:
        declared = content.protocol.regions.get(region.name)
        coverage = [
            run.region_coverage[region.name]
            for run in content.runs
            if math.isfinite(run.region_coverage.get(region.name, math.nan))
        ]
        rows.append(
            {
                "name": region.name,
                "description": describe_region(declared) if declared else region.description,
                "n_voxels": region.n_voxels,
                "n_runs": len(coverage),
                "least": 100 * min(coverage, default=math.nan),
                "middle": 100 * _median(coverage),
            }
        )
    return tuple(rows)


def _median(values: list[float]) -> float:
    ranked = sorted(values)
    if not ranked:
        return math.nan
    half = len(ranked) // 2
    return ranked[half] if len(ranked) % 2 else (ranked[half - 1] + ranked[half]) / 2


def _as_yaml(content: ReportContent) -> str:
    record = content.protocol.model_dump(mode="json", exclude_none=True, exclude_defaults=False)
    text: str = yaml.safe_dump(record, sort_keys=False, allow_unicode=True, width=96)
    return text
