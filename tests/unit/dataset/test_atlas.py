import base64
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from phmri.dataset import AtlasStore, write_image, write_table
from phmri.exceptions import AtlasError

SPACE = "MNI152NLin2009cAsym"
NAMES = ["Area p24ab (pACC)", "Area p24c (pACC)", "Area hOc1 (V1)", "Area p24ab (pACC)"]
MPM = "maximum-probability-maps_MPMs_207-areas/JulichBrainAtlas_3.1_207areas_MPM_{}_MNI152.nii.gz"
PM = "probabilistic-maps_PMs_207-areas/Area-{0}/Area-{0}_{1}_MNI152.nii.gz"


@pytest.fixture(autouse=True)
def _no_folder_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PHMRI_ATLAS_DIR", raising=False)


@pytest.fixture
def labels() -> np.ndarray:
    """Label image: area 20 (p24ab), 126 (p24c) and 5 along x."""
    data = np.zeros((6, 4, 4), dtype=np.int16)
    data[0], data[1], data[2], data[3] = 20, 126, 5, 1020
    return data


@pytest.fixture
def templates(tmp_path: Path, labels: np.ndarray) -> Path:
    """Folder with BIDS-like names, with other numbers than the publisher's."""
    folder = tmp_path / "julich"
    for res in ("01", "02"):
        name = f"tpl-{SPACE}_res-{res}_atlas-Julich31_dseg.nii.gz"
        write_image(folder / name, labels, np.diag([int(res), 1.0, 1.0, 1.0]))
    table = pd.DataFrame(
        {
            "index": [20, 126, 5, 1020],
            "hemisphere": ["L", "L", "L", "R"],
            "julich_name": [
                "Area p24ab (pACC)",
                "Area p24c (pACC)",
                "Area hOc1 (V1)",
                "Area p24ab (pACC)",
            ],
        }
    )
    write_table(folder / "atlas-Julich31_dseg.tsv", table)
    write_table(folder / "atlas-Julich31_desc-ACC_dseg.tsv", table.assign(index=[1, 2, 3, 4]))
    probabilities = np.zeros((6, 4, 4, 4), dtype=np.uint8)
    probabilities[0, ..., 0], probabilities[0, ..., 1], probabilities[1, ..., 1] = 200, 100, 51
    name = f"tpl-{SPACE}_res-02_atlas-Julich31_desc-ACC_probseg.nii.gz"
    write_image(folder / name, probabilities, np.diag([2.0, 1.0, 1.0, 1.0]))
    return folder


def test_masks_merge_areas_and_sides(templates: Path, labels: np.ndarray) -> None:
    store = AtlasStore([templates])
    image, source = store.julich(("p24ab", "Area p24c (pACC)"), "left", SPACE)
    assert_array_equal(image.data, np.isin(labels, [20, 126]).astype(float))
    assert image.affine[0, 0] == 1.0  # the finest of the resolutions
    both, _ = store.julich(("p24ab",), "both", SPACE)
    assert_array_equal(both.data, np.isin(labels, [20, 1020]).astype(float))
    assert source["licence"] == "CC BY-NC-SA 4.0"
    assert any("10.1126/science.abb4588" in str(item) for item in source["citation"])
    assert [len(record["sha256"]) for record in source["files"]] == [64]


def test_probabilities_are_added_and_cut_at_one(templates: Path) -> None:
    image, source = AtlasStore([templates]).julich(
        ("p24ab", "p24c"), "left", SPACE, kind="probability"
    )
    assert_allclose(image.data[:, 0, 0], [1.0, 0.2, 0, 0, 0, 0])
    assert source["files"][0]["labels"] == [1, 2]


def test_another_space_is_never_used(templates: Path) -> None:
    with pytest.raises(AtlasError, match=r"MNI152NLin6Asym.*MNI152NLin2009cAsym"):
        AtlasStore([templates]).julich(("p24ab",), "left", "MNI152NLin6Asym")


def test_unknown_area_names_similar_ones(templates: Path) -> None:
    with pytest.raises(AtlasError, match=r"no such area.*p24abc.*p24ab"):
        AtlasStore([templates]).julich(("p24abc",), "left", SPACE)


def test_other_version_and_no_area(templates: Path) -> None:
    with pytest.raises(AtlasError, match="version"):
        AtlasStore([templates]).julich(("p24ab",), "left", SPACE, "2.9")
    with pytest.raises(AtlasError, match="at least one area"):
        AtlasStore([templates]).julich((), "left", SPACE)


def test_folder_named_by_the_environment(templates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PHMRI_ATLAS_DIR", str(templates))
    image, _ = AtlasStore().julich(("p24ab",), "left", SPACE)
    assert image.data.sum() == 16


@pytest.mark.parametrize("deep", [True, False])
def test_publishers_files_in_a_local_folder(
    tmp_path: Path, labels: np.ndarray, deep: bool
) -> None:
    path = tmp_path / "local" / (MPM.format("lh") if deep else Path(MPM.format("lh")).name)
    write_image(path, labels, np.eye(4))
    image, source = AtlasStore([tmp_path / "local"]).julich(("p24c",), "left", SPACE)
    assert_array_equal(image.data, (labels == 126).astype(float))
    assert source["files"][0]["labels"] == [126]
    with pytest.raises(AtlasError, match=r"hOc1.*p24ab"):
        AtlasStore([tmp_path / "local"]).julich(("hOc1",), "left", SPACE)


class _Server:
    """What the local server sends, per path."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.content: dict[str, bytes] = {}
        self.headers: dict[str, str] = {}
        self.cut = 0
        self.waits = threading.Event()
        self.hang = False
        self.n_requests = 0


@pytest.fixture
def server() -> Iterator[_Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            state.n_requests += 1
            if state.hang:
                state.waits.wait(5)
                return
            body = state.content.get(self.path.lstrip("/"))
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Length", str(len(body or b"")))
            for key, value in state.headers.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write((body or b"")[: len(body or b"") - state.cut])

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = _Server(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield state
    state.waits.set()
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def published(server: _Server, tmp_path: Path, labels: np.ndarray) -> _Server:
    server.content[MPM.format("lh")] = write_image(
        tmp_path / "a.nii.gz", labels, np.eye(4)
    ).read_bytes()
    probability = np.full((6, 4, 4), 0.25, dtype=np.float32)
    server.content[PM.format("p32", "rh")] = write_image(
        tmp_path / "b.nii.gz", probability, np.eye(4)
    ).read_bytes()
    return server


def _files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_download_once_then_from_the_cache(
    published: _Server, tmp_path: Path, labels: np.ndarray
) -> None:
    cache = tmp_path / "cache"
    store = AtlasStore(cache_dir=cache, base_url=published.url)
    image, source = store.julich(("p24ab",), "left", SPACE)
    assert_array_equal(image.data, (labels == 20).astype(float))
    assert source["files"][0]["url"] == f"{published.url}/{MPM.format('lh')}"
    digest = hashlib.sha256(published.content[MPM.format("lh")]).hexdigest()
    assert source["files"][0]["sha256"] == digest
    store.julich(("p24c",), "left", SPACE)
    assert published.n_requests == 1
    weights, _ = store.julich(("p32",), "right", SPACE, kind="probability")
    assert_allclose(weights.data, 0.25)
    assert published.n_requests == 2
    assert "atlas-lock.json" in _files(cache)


def test_changed_file_is_refused(published: _Server, tmp_path: Path, labels: np.ndarray) -> None:
    cache = tmp_path / "cache"
    store = AtlasStore(cache_dir=cache, base_url=published.url)
    store.julich(("p24ab",), "left", SPACE)
    path = cache / MPM.format("lh")
    other = write_image(tmp_path / "c.nii.gz", labels * 0, np.eye(4)).read_bytes()
    path.write_bytes(other)
    with pytest.raises(AtlasError, match="not the one that was downloaded"):
        store.julich(("p24ab",), "left", SPACE)
    path.unlink()
    published.content[MPM.format("lh")] = other
    with pytest.raises(AtlasError, match="was downloaded before"):
        store.julich(("p24ab",), "left", SPACE)
    assert not path.exists()


def test_declared_checksum(published: _Server, tmp_path: Path) -> None:
    name = Path(MPM.format("lh")).name
    cache = tmp_path / "cache"
    wrong = AtlasStore(cache_dir=cache, base_url=published.url, sha256={name: "0" * 64})
    with pytest.raises(AtlasError, match="not the one that was declared"):
        wrong.julich(("p24ab",), "left", SPACE)
    assert not cache.exists()


@pytest.mark.parametrize("header", ["ETag", "Content-MD5"])
def test_checksum_of_the_server(published: _Server, tmp_path: Path, header: str) -> None:
    digest = hashlib.md5(published.content[MPM.format("lh")], usedforsecurity=False)
    base64_digest = base64.b64encode(digest.digest()).decode()
    good = {
        "ETag": f'"{digest.hexdigest()}"',
        "Content-MD5": base64_digest,
    }
    bad = {"ETag": f'"{"0" * 32}"', "Content-MD5": base64.b64encode(bytes(16)).decode()}
    store = AtlasStore(cache_dir=tmp_path / "cache", base_url=published.url)
    published.headers = {header: bad[header]}
    with pytest.raises(AtlasError, match=r"damaged.*md5"):
        store.julich(("p24ab",), "left", SPACE)
    assert not (tmp_path / "cache").exists()
    published.headers = {header: good[header]}
    image, _ = store.julich(("p24ab",), "left", SPACE)
    assert image.data.sum() == 16


def test_answers_that_are_no_atlas(published: _Server, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    store = AtlasStore(cache_dir=cache, base_url=published.url, timeout_s=0.3)
    published.cut = 20
    with pytest.raises(AtlasError, match="ended after"):
        store.julich(("p24ab",), "left", SPACE)
    published.cut = 0
    with pytest.raises(AtlasError, match="HTTP 404"):
        store.julich(("p24ab",), "right", SPACE)
    published.content[MPM.format("rh")] = b"<html>login</html>"
    with pytest.raises(AtlasError, match="not whole gzip"):
        store.julich(("p24ab",), "right", SPACE)
    published.hang = True
    with pytest.raises(AtlasError, match="timed out"):
        store.julich(("p24ab",), "left", SPACE)
    assert not cache.exists()


def test_no_server_and_no_address(tmp_path: Path) -> None:
    nobody = AtlasStore(cache_dir=tmp_path, base_url="http://127.0.0.1:9")
    with pytest.raises(AtlasError, match="PHMRI_ATLAS_DIR"):
        nobody.julich(("25",), "left", SPACE)
    with pytest.raises(AtlasError, match=r"hOc1.*p24ab"):
        nobody.julich(("hOc1",), "left", SPACE)
    with pytest.raises(AtlasError, match="not an address"):
        AtlasStore(cache_dir=tmp_path, base_url="file:///etc").julich(("25",), "left", SPACE)
