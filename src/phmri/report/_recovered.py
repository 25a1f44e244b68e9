"""One page that holds a simulated trial's answers against what was planted."""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from phmri.dataset import write_text
from phmri.simulation import Recovered

__all__ = ["write_recovered_page"]


def write_recovered_page(
    rows: Sequence[Recovered], path: Path, *, title: str, notes: Sequence[str], report: str
) -> Path:
    """Write the comparison as a page of its own.

    Parameters
    ----------
    rows : sequence of Recovered
        What was planted and found, question by question.
    path : Path
        ``.html``.
    title : str
        Of the trial.
    notes : sequence of str
        What is to be known of it, a paragraph each.
    report : str
        Where its report is, relative to the page.

    Returns
    -------
    Path
        The page.
    """
    environment = Environment(
        loader=PackageLoader("phmri.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    planted = [row for row in rows if row.planted]
    null = [row for row in rows if not row.planted]
    text = environment.get_template("recovered.html.j2").render(
        rows=rows,
        title=title,
        notes=notes,
        report=report,
        style=Markup(environment.get_template("report.css").render()),
        n_right=sum(row.right for row in rows),
        n_planted=len(planted),
        n_found=sum(row.verdict == "found" for row in planted),
        n_null=len(null),
        n_false=sum(row.verdict == "found" for row in null),
    )
    return write_text(path, text)
