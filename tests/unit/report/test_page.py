import dataclasses
import re
from html.parser import HTMLParser

import pytest

from phmri.report import write_report


class Page(HTMLParser):
    """Collect what the tests ask about."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.links, self.images, self.tags, self.words = [], [], [], [], []
        self.captions = 0
        self.feed(text)
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag, attrs):
        found = dict(attrs)
        self.tags.append(tag)
        self.captions += tag == "caption"
        if "id" in found:
            self.ids.append(found["id"])
        if tag == "a":
            self.links.append(found["href"])
        if tag == "img":
            self.images.append(found)
        assert not {"onclick", "onload", "onerror"} & set(found)

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def written(parallel, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "index.html"
    assert write_report(parallel, path) == path
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(written):
    return Page(written)


def test_has_every_section_and_each_link_has_a_target(page):
    sections = {
        "answers", "participants", "quality", "regions", "questions", "methods", "limits",
        "references", "provenance", "question-whole", "question-single", "question-network",
        "question-refused",
    }  # fmt: skip
    assert sections <= set(page.ids)
    assert len(page.ids) == len(set(page.ids))
    inner = {link[1:] for link in page.links if link.startswith("#")}
    assert inner <= set(page.ids)
    assert {"question-whole", "ref-1"} <= inner


def test_needs_nothing_from_elsewhere(written, page):
    assert {"link", "script", "iframe"} & set(page.tags) == set()
    assert all(image["src"].startswith("data:image/") for image in page.images)
    outer = [link for link in page.links if not link.startswith("#")]
    assert outer
    assert all(link.startswith("https://doi.org/10.") for link in outer)
    assert "@import" not in written
    assert "url(" not in written


def test_escapes_every_text(written, page):
    assert "<script" not in written
    assert written.count("&lt;script&gt;") >= 6
    assert "A trial <script>alert('x')</script>" in page.text


def test_says_simulated_on_page_and_in_title(written, parallel, tmp_path):
    assert written.count("SIMULATED DATA") >= 3
    true = dataclasses.replace(parallel, simulated=False, questions=(), regions=())
    assert "SIMULATED" not in write_report(true, tmp_path / "x.html").read_text(encoding="utf-8")


def test_prints_the_numbers_of_the_claims(page):
    for text in (
        "+0.20† [+0.08, +0.32]", "t(5) = 6.50", "0.0002", "−0.06 [−0.18, +0.06]", "−1.23", "0.432",
        "0, 4, 6", "cingulate", "it is at most 0.05 where |t| ≥ 4.50",
        "5,000, drawn at random out of more than 10⁹ distinct ones", "corrected over 500 voxels",
        "Participants change places.", "The outcome is distributed alike in both arms.",
        "No p-value can be smaller than 1/5,000 = 0.0002.",
        "treated 4, control 4", "3 outcomes of 500 passed",
    ):  # fmt: skip
        assert text in page.text, text


def test_every_method_has_its_words(parallel, make_cluster, tmp_path):
    """Heads, columns and warnings follow the method of each question."""
    whole = next(q for q in parallel.questions if q.claim.question == "whole")
    warned = "Warning: not smooth [doi:10.1191/0962280203sm341ra]"
    claims = {
        "tfce": {"threshold": 1234.4, "pvalue_interval": (0.04, 0.06)},
        "cluster_mass": {
            "clusters": tuple(make_cluster(k, pvalue_mass=0.01) for k in range(1, 24))
        },
        "random_field": {"n_permutations": 0, "sentences": (warned,)},
        "fdr": {"n_permutations": 0, "statistic": "v"},
    }
    questions = tuple(
        dataclasses.replace(
            whole,
            t_map=None,
            values={},
            claim=dataclasses.replace(whole.claim, question=method, method=method, **changes),
        )
        for method, changes in claims.items()
    )
    path = write_report(dataclasses.replace(parallel, questions=questions), tmp_path / "m.html")
    text = path.read_text(encoding="utf-8")
    blocks = {
        method: text.split(f'id="question-{method.replace("_", "-")}"')[1].split("</article>")[0]
        for method in claims
    }
    assert "Close to the limit" in blocks["tfce"]
    assert "p (FWE)<br>by TFCE</th>" in blocks["tfce"]
    assert blocks["cluster_mass"].count("↑ higher") == 20
    assert (
        "3 further clusters, of less mass or larger p: see question-clustermass_clusters.tsv."
        in text
    )
    assert "of the heaviest cluster in every shuffling" in blocks["cluster_mass"]
    assert 'class="warning">Warning: not smooth <a class="cite"' in blocks["random_field"]
    assert "Nothing. p-values rest on random field theory" in blocks["random_field"]
    assert "q (FDR)</th></tr>" in blocks["fdr"]
    assert "p (FWE)" not in blocks["fdr"]
    assert "v(5)" in blocks["fdr"]
    assert text.count('class="flag"') == 2
    assert "Nichols T, Hayasaka S" in text


def test_answers_begin_with_the_primary_question(page):
    order = [link for link in page.links if link.startswith("#question-")][:4]
    assert order == [
        "#question-whole",
        "#question-single",
        "#question-network",
        "#question-refused",
    ]


def test_refused_question_keeps_its_place_without_numbers(written):
    block = written.split('id="question-refused"')[1].split("</article>")[0]
    assert "Refused" in block
    assert "No column &#39;sex&#39;." in block
    assert "<table" not in block
    assert "nan" not in block.lower()


def test_citations_are_numbered_once(written, page):
    methods = written.split('id="methods"')[1].split("</section>")[0]
    assert '<a class="cite" href="#ref-1">[1]</a>' in methods
    references = written.split('class="references"')[1].split("</ol>")[0]
    assert re.findall(r"doi:(10\.\S+)</a>", references) == [
        "10.1002/hbm.24528", "10.1002/hbm.1058", "10.2202/1544-6115.1585",
    ]  # fmt: skip
    assert "[doi:" not in methods
    assert "Lindquist" in page.text


def test_says_what_it_does_not_say(written):
    limits = written.split('id="limits"')[1].split("</section>")[0]
    for text in (
        "absent",
        "exploratory",
        "families named in the protocol: acute",
        "simulated",
        "†",
    ):
        assert text in limits, text


def test_shows_provenance(page):
    for text in ("0123456789abcdef" * 4, "phmri run a b all", "2026-01-02T03:04:05Z", "2.4.6",
                 "max_mean_fd_mm: 0.5", "1 problem found by the check", "sub-02"):  # fmt: skip
        assert text in page.text, text


def test_figures_have_alternatives_and_tables_captions(page):
    assert len(page.images) == 10
    assert all(len(image["alt"]) > 30 for image in page.images)
    assert all(image["alt"].startswith("Simulated data.") for image in page.images)
    assert page.captions == page.tags.count("table")
    assert "Figure 10." in page.text


def test_same_content_same_bytes(written, parallel, tmp_path):
    again = write_report(parallel, tmp_path / "again.html").read_text(encoding="utf-8")
    assert again == written


def test_crossover_and_missing_parts(crossover, tmp_path):
    text = write_report(crossover, tmp_path / "x.html").read_text(encoding="utf-8")
    page = Page(text)
    assert "SIMULATED" not in text
    assert "regions" not in page.ids
    assert "Drug X minus Placebo" in page.text
    assert "All 256 distinct shufflings." in page.text
    assert "Problems found in the data None." in page.text
    empty = dataclasses.replace(
        crossover,
        questions=(),
        runs=(),
        groups={},
        check=dataclasses.replace(crossover.check, cells=()),
    )
    page = Page(write_report(empty, tmp_path / "y.html").read_text(encoding="utf-8"))
    assert "have not been answered" in page.text


def test_methods_say_every_sentence_once(written):
    methods = Page(written.split('<section id="methods">')[1].split("</section>")[0]).text
    shared = "All questions. Shuffled"
    assert shared in methods
    assert methods.count("Shuffled") == 1
    assert methods.count("nothing is corrected") == 1
    assert methods.index(shared) < methods.index("whole, network.") < methods.index("single.")


def test_one_number_has_no_corrected_p(written):
    block = written.split('id="question-single"')[1].split("</article>")[0]
    heads = re.findall(r'<th scope="col"[^>]*>([^<]*)', block)
    assert heads == ["Outcome", "t(5)", "Effect (Fisher z)", "95 % CI", "d", "p"]
    assert "FWE" not in block


def test_of_nothing_found_few_outcomes_are_listed(parallel, make_claim, tmp_path):
    peak = make_claim("q").peaks[0]
    peaks = tuple(
        dataclasses.replace(peak, index=k, pvalue_corrected=0.2 + 0.025 * k) for k in range(15)
    )
    whole = next(q for q in parallel.questions if q.claim.question == "whole")
    claim = dataclasses.replace(whole.claim, verdict="not found", peaks=peaks)
    content = dataclasses.replace(
        parallel, questions=(dataclasses.replace(whole, claim=claim, values={}),)
    )
    text = write_report(content, tmp_path / "x.html").read_text(encoding="utf-8")
    block = text.split('id="question-whole"')[1].split("</article>")[0]
    assert block.count("<td>cingulate</td>") == 10
    assert "5 further outcomes, of larger p: see question-whole_peaks.tsv." in block
    assert "further row" not in block


def table_of(written, caption):
    (table,) = [t for t in re.findall(r"<table.*?</table>", written, re.DOTALL) if caption in t]
    heads = re.findall(r"<th[^>]*>(.*?)</th>", table, re.DOTALL)
    rows = re.findall(r"<tr[^>]*>(.*?)</tr>", table.partition("<tbody>")[2], re.DOTALL)
    return heads, [re.findall(r"<td[^>]*>(.*?)</td>", row, re.DOTALL) for row in rows]


def answered(parallel, tmp_path, peak_df):
    questions = tuple(
        dataclasses.replace(q, peak_df=peak_df) if q.claim.question == "whole" else q
        for q in parallel.questions
    )
    content = dataclasses.replace(parallel, questions=questions)
    return write_report(content, tmp_path / "index.html").read_text(encoding="utf-8")


def test_every_outcome_has_its_own_df(parallel, tmp_path):
    written = answered(parallel, tmp_path, (19.11, 16.7))
    heads, rows = table_of(written, "Peaks of whole.")
    assert heads[2:4] == ["t", "df"]
    assert [row[2:4] for row in rows] == [["6.50", "19.1"], ["6.50", "16.7"]]
    assert "t(19.1) = 6.50" in written


@pytest.mark.parametrize("peak_df", [(5.0, 5.0), ()])
def test_one_df_stands_in_the_head(parallel, tmp_path, peak_df):
    heads, rows = table_of(answered(parallel, tmp_path, peak_df), "Peaks of whole.")
    assert heads[2] == "t(5)"
    assert heads[3].startswith("Effect")
    assert {len(row) for row in rows} == {len(heads)}


def test_missing_runs_are_not_left_out(parallel, tmp_path):
    cells = {(cell.subject, cell.session): cell for cell in parallel.check.cells}
    lost = dataclasses.replace(
        parallel.runs[0], subject="02", session="acute", used=False, reason="no run found",
        n_volumes=0,
    )  # fmt: skip
    assert cells["02", "acute"].status == "missing"
    content = dataclasses.replace(parallel, runs=(*parallel.runs, lost))
    heads, rows = table_of(write_report(content, tmp_path / "index.html").read_text(), "Table 2.")
    assert heads[3:6] == ["Runs used", "Left out", "Missing"]
    assert [row[1:6] for row in rows] == [
        ["before", "control", "5", "0", "0"],
        ["before", "treated", "3", "2", "0"],
        ["acute", "control", "4", "0", "1"],
        ["acute", "treated", "3", "2", "0"],
    ]
