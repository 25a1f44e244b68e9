"""One file from the network: checked, pinned, written whole."""

import base64
import binascii
import hashlib
import http.client
import re
import urllib.error
import urllib.request
from pathlib import Path

from isal import igzip

from phmri.dataset._headers import READ_ERRORS
from phmri.dataset._read_files import file_sha256, read_json
from phmri.dataset._write import write_bytes, write_json
from phmri.exceptions import AtlasError, Problem

__all__ = ["fetch", "pinned"]

_LOCK = "atlas-lock.json"
_MD5 = re.compile(r'^"?([0-9a-fA-F]{32})"?$')


def pinned(cache_dir: Path, name: str) -> Path | None:
    """Find a file in the cache and compare it with what was first downloaded.

    Parameters
    ----------
    cache_dir : Path
        Where downloads are kept.
    name : str
        Path below `cache_dir`.

    Returns
    -------
    Path or None
        None when it was never downloaded.

    Raises
    ------
    AtlasError
        The file is not the one that was pinned.
    """
    path = cache_dir / name
    if not path.is_file():
        return None
    expected = _lock(cache_dir).get(name)
    found = file_sha256(path)
    if expected is not None and expected != found:
        raise AtlasError(
            Problem(
                what="the cached file is not the one that was downloaded; remove it to try again",
                file=str(path),
                found=f"sha256 {found}",
                expected=f"sha256 {expected}",
            )
        )
    return path


def fetch(url: str, cache_dir: Path, name: str, *, sha256: str | None, timeout_s: float) -> Path:
    """Download a gzip file into the cache.

    It is compared with `sha256`, else with the MD5 that the server sends (``Content-MD5`` or an
    ``ETag`` of that form); then with what this cache held under that name before. The first
    download is pinned by its SHA-256 in ``atlas-lock.json``.

    Parameters
    ----------
    url : str
        Address.
    cache_dir : Path
        Where downloads are kept.
    name : str
        Path below `cache_dir`.
    sha256 : str or None
    timeout_s : float
        Seconds without an answer.

    Returns
    -------
    Path

    Raises
    ------
    AtlasError
        No answer, an answer cut short, or another file than expected; nothing is left behind.
    """
    content, headers = _get(url, timeout_s)
    digest = hashlib.sha256(content).hexdigest()
    lock = _lock(cache_dir)
    expected = sha256 or lock.get(name)
    if expected is not None and expected != digest:
        origin = "was declared" if sha256 else f"was downloaded before ({_LOCK})"
        raise AtlasError(
            Problem(
                what=f"the downloaded file is not the one that {origin}",
                file=url,
                found=f"sha256 {digest}",
                expected=f"sha256 {expected}",
            )
        )
    _compare_md5(url, content, headers)
    try:
        igzip.decompress(content)
    except READ_ERRORS as error:
        raise AtlasError(
            Problem(what="the downloaded file is not whole gzip data", file=url, found=str(error))
        ) from error
    path = write_bytes(cache_dir / name, content)
    write_json(cache_dir / _LOCK, {**lock, name: digest})
    return path


def _get(url: str, timeout_s: float) -> tuple[bytes, http.client.HTTPMessage]:
    if not url.startswith(("http://", "https://")):
        raise AtlasError(
            Problem(what="not an address to download from", found=url, expected="https://...")
        )
    try:
        # A new opener: the shared one would keep the proxy of its first use for good.
        with urllib.request.build_opener().open(url, timeout=timeout_s) as answer:
            content: bytes = answer.read()
            headers: http.client.HTTPMessage = answer.headers
            return content, headers
    except urllib.error.HTTPError as error:
        error.close()
        reason = f"HTTP {error.code} {error.reason}"
    except http.client.IncompleteRead as error:
        reason = f"the answer ended after {len(error.partial)} bytes"
    except (OSError, http.client.HTTPException) as error:
        reason = str(error) or type(error).__name__
    raise AtlasError(
        Problem(
            what="the atlas cannot be downloaded",
            file=url,
            found=reason,
            expected="an answer; or the file in a local folder, named by PHMRI_ATLAS_DIR",
        )
    )


def _compare_md5(url: str, content: bytes, headers: http.client.HTTPMessage) -> None:
    expected = None
    sent = headers.get("Content-MD5")
    tag = _MD5.match(headers.get("ETag", ""))
    if sent is not None:
        try:
            expected = base64.b64decode(sent, validate=True).hex()
        except binascii.Error:
            expected = None
    elif tag is not None:
        expected = tag.group(1).lower()
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    if expected is not None and expected != found:
        raise AtlasError(
            Problem(
                what="the downloaded file is damaged",
                file=url,
                found=f"md5 {found}",
                expected=f"md5 {expected} as the server says",
            )
        )


def _lock(cache_dir: Path) -> dict[str, str]:
    path = cache_dir / _LOCK
    if not path.is_file():
        return {}
    return {name: digest for name, digest in read_json(path).items() if isinstance(digest, str)}
