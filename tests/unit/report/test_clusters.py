import pytest

from phmri.protocol import Inference
from phmri.report._clusters import make_cluster_table


@pytest.fixture
def protocol_of(parallel):
    """The trial, with settings of inference for the question ``whole``."""

    def make(**settings):
        question = parallel.protocol.questions["whole"].model_copy(
            update={"inference": Inference(**settings)}
        )
        questions = parallel.protocol.questions | {"whole": question}
        return parallel.protocol.model_copy(update={"questions": questions})

    return make


def test_no_clusters_no_table(parallel, make_claim):
    assert make_cluster_table(parallel.protocol, make_claim("whole")) is None


def test_only_filled_columns_are_shown(protocol_of, make_claim, make_cluster):
    clusters = (
        make_cluster(pvalue_mass=0.01, pvalue_extent=0.2),
        make_cluster(2, sign=-1, strongest=None, pvalue_mass=0.3, label=""),
    )
    claim = make_claim("whole", method="cluster_mass", clusters=clusters)
    protocol = protocol_of(method="cluster_mass", cluster_z=3.1)
    table = make_cluster_table(protocol, claim)
    assert table.head == (
        "No.", "Place", "Size", "p", "True, at least", "Strongest†",
    )  # fmt: skip
    first, second = table.rows
    assert first.cells == (
        ("1", "↑ higher"), ("area 24", "centre 1, 4, −6 mm"),
        ("40 voxels", "2,560 mm³", "mass 123.4"), ("p mass 0.010", "p extent 0.200"), ("17",),
        ("0, 4, 6 mm", "t = 6.50", "+0.20†", "[+0.08, +0.32]"),
    )  # fmt: skip
    assert second.cells[0] == ("2", "↓ lower")
    assert second.cells[1] == ("–", "centre 1, 4, −6 mm")
    assert second.cells[3] == ("p mass 0.300", "p extent –")
    assert second.cells[-1] == ("–",)
    assert (first.passes, second.passes) == (True, False)
    assert "beyond the cluster-forming threshold of z = 3.1." in table.caption
    assert "something in it differs, not that every part" in table.caption
    assert "Bold: p mass at most 0.05." in table.caption
    assert table.cut == ""


def test_components_of_edges(protocol_of, make_claim, make_cluster):
    component = make_cluster(
        volume_mm3=None, centre_mm=None, label="a~b", pvalue_extent=0.5, strongest=None
    )
    claim = make_claim("whole", method="cluster_extent", outcome="edges", clusters=(component,))
    protocol = protocol_of(method="cluster_extent", cluster_t=3.0)
    table = make_cluster_table(protocol, claim)
    assert table.title == "Components of whole."
    assert table.head == (
        "No.", "Strongest edge", "Size", "p", "True, at least"
    )  # fmt: skip
    assert table.rows[0].cells[1:4] == (("a~b",), ("40 edges", "mass 123.4"), ("p extent 0.500",))
    assert "Connected edges of one sign beyond the cluster-forming threshold of t = 3." in (
        table.caption
    )
    assert "†" not in table.caption


def test_clusters_of_what_passed(protocol_of, make_claim, make_cluster):
    claim = make_claim("whole", method="tfce", clusters=(make_cluster(pvalue_tfce=0.02),))
    table = make_cluster_table(protocol_of(method="tfce"), claim)
    assert "that passed (p (FWE) ≤ 0.05)" in table.caption
    assert "something in it" not in table.caption
    assert table.rows[0].passes


def test_random_field_judges_peaks_and_clusters_apart(protocol_of, make_claim, make_cluster):
    cluster = make_cluster(pvalue_random_field=0.01, qvalue_topological=0.02)
    claim = make_claim("whole", method="random_field", clusters=(cluster,))
    table = make_cluster_table(protocol_of(method="random_field"), claim)
    assert table.rows[0].cells[3] == ("p random field 0.010", "q topological 0.020")
    assert "The answer rests on p (FWE) of each voxel." in table.caption
    assert not table.rows[0].passes


def test_long_tables_are_cut(parallel, make_claim, make_cluster):
    clusters = tuple(make_cluster(number) for number in range(1, 22))
    claim = make_claim("the_whole", clusters=clusters)
    table = make_cluster_table(parallel.protocol, claim)
    assert len(table.rows) == 20
    assert table.cut == (
        "1 further cluster, of less mass or larger p: see question-thewhole_clusters.tsv."
    )


def test_of_nothing_found_only_what_is_unlikely_is_listed(parallel, make_claim, make_cluster):
    pvalues = [0.6, *(0.07 + 0.03 * k for k in range(12)), 1.0]
    clusters = tuple(make_cluster(k, pvalue_mass=p) for k, p in enumerate(pvalues, start=1))
    claim = make_claim("q", verdict="not found", method="cluster_mass", clusters=clusters)
    table = make_cluster_table(parallel.protocol, claim)
    assert [row.cells[0][0] for row in table.rows] == [str(k) for k in range(2, 12)]
    assert table.cut.startswith("4 further clusters, of less mass or larger p")
    chance = make_claim("q", verdict="not found", method="cluster_mass", clusters=clusters[:1])
    assert len(make_cluster_table(parallel.protocol, chance).rows) == 1
