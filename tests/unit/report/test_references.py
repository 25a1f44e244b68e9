import ast
import json
import re
from importlib.resources import files
from pathlib import Path
from urllib.parse import unquote

import phmri
from phmri.report._text import Bibliography

DOI = re.compile(r"10\.\d{4,9}/[^\s,;\]]+")


def cited():
    """Every DOI in a text of the source that is no docstring and not the report's own."""
    for path in sorted(Path(phmri.__file__).parent.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and id(node) not in docstrings:
                yield from (unquote(doi).lower() for doi in DOI.findall(text))


def test_every_cited_work_is_named():
    named = json.loads(
        files("phmri.report").joinpath("templates", "references.json").read_text("utf-8")
    )
    found = set(cited())
    assert len(found) > 30
    assert found - set(named) == set()
    assert all(doi == doi.lower() for doi in named)
    assert all(re.search(r"\(\d{4}\)\.$", text) for text in named.values())


def test_a_semicolon_in_a_doi_is_kept():
    bibliography = Bibliography()
    bibliography.cite("[doi:10.1002/(SICI)1097-0193(1996)4:1<58::AID-HBM4>3.0.CO%3B2-O]")
    ((doi, text),) = bibliography.references
    assert doi.endswith("aid-hbm4>3.0.co;2-o")
    assert text.startswith("Worsley")
