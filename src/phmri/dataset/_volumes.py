"""Volumes of a run one after the other, decompressed ahead of the consumer in bounded memory.

A thread decompresses (ISA-L releases the interpreter lock) while the consumer computes; a queue
of two portions stands between them. A portion is one volume, or as many small ones as fill a
megabyte: handing over costs more than reading a small one. The scaled value of a voxel is
``raw * slope + inter``.
"""

import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
from jaxtyping import Float, Shaped

from phmri.dataset._headers import READ_ERRORS, ImageHeader, gzip_or_plain, header_of
from phmri.exceptions import DatasetError, Problem

__all__ = ["VolumeReader", "open_volumes"]

_AHEAD = 2
_N_AXES = 4
_PORTION_BYTES = 1 << 20
_WAIT_S = 0.05


class VolumeReader:
    """The raw volumes of one 4D image, in order.

    Iterate inside a ``with`` block; each ``for`` starts at the first volume again. A volume is an
    array of shape (z, y, x) in C order, so x runs fastest in memory as it does in the file, in the
    file's type and native byte order, and belongs to the caller. Two portions are held ahead.

    Parameters
    ----------
    header : ImageHeader
        Of a 4D image.

    Attributes
    ----------
    path : Path
        File.
    shape : tuple of int
        x, y, z.
    n_volumes : int
        Length of the run.
    affine : ndarray of shape (4, 4)
        Voxel to mm.
    t_r : float or None
        Seconds, as the header says.
    slope, inter : float
        Scaled value = raw * slope + inter.
    dtype : numpy dtype
    """

    def __init__(self, header: ImageHeader) -> None:
        self._header = header
        self.path: Path = header.path
        self.shape: tuple[int, int, int] = (header.shape[0], header.shape[1], header.shape[2])
        self.n_volumes: int = header.shape[3]
        self.affine: Float[np.ndarray, "4 4"] = header.affine
        self.t_r: float | None = header.t_r
        self.slope: float = header.slope
        self.inter: float = header.inter
        self.dtype: np.dtype[np.generic] = header.dtype.newbyteorder("=")
        self._ahead: _ReadAhead | None = None

    def __enter__(self) -> "VolumeReader":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop reading and wait for the thread to end."""
        if self._ahead is not None:
            self._ahead.stop()
            self._ahead = None

    def __iter__(self) -> Iterator[Shaped[np.ndarray, "z y x"]]:
        self.close()
        ahead = self._ahead = _ReadAhead(self._header)
        try:
            yield from ahead.volumes()
        finally:
            ahead.stop()


class _ReadAhead:  # numpydoc ignore=PR01
    """One pass through the file in a thread."""

    def __init__(self, header: ImageHeader) -> None:
        self._header = header
        self._queue: queue.Queue[list[np.ndarray] | DatasetError | None] = queue.Queue(_AHEAD)
        self._stopped = threading.Event()
        self._thread = threading.Thread(
            target=self._read, name=f"read {header.path.name}", daemon=True
        )
        self._thread.start()

    def volumes(self) -> Iterator[Shaped[np.ndarray, "z y x"]]:
        """Hand on what the thread reads; it may have died or been stopped meanwhile.

        Raises
        ------
        DatasetError
            The file is damaged, or reading ended before the last volume was handed on.
        """
        while True:
            alive = self._thread.is_alive()
            try:
                item = self._queue.get(timeout=_WAIT_S)
            except queue.Empty:
                if alive:
                    continue
                raise DatasetError(self._cut_short()) from None
            if item is None:
                return
            if isinstance(item, DatasetError):
                raise item
            for volume in item:
                yield volume
                if self._stopped.is_set():
                    raise DatasetError(self._cut_short())

    def _cut_short(self) -> Problem:
        what = "reading was stopped before the last volume"
        return Problem(what=what, file=str(self._header.path))

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _put(self, item: list[np.ndarray] | DatasetError | None) -> None:
        while not self._stopped.is_set():
            try:
                self._queue.put(item, timeout=_WAIT_S)
            except queue.Full:
                continue
            return

    def _read(self) -> None:
        header = self._header
        portion: list[np.ndarray] = []
        index, n_bytes = -1, 0
        try:
            with gzip_or_plain(header.path) as stream:
                _skip(stream, header.offset)
                for index in range(header.shape[3]):
                    portion.append(self._volume(stream))
                    n_bytes += portion[-1].nbytes
                    if n_bytes >= _PORTION_BYTES or index == header.shape[3] - 1:
                        self._put(portion)
                        portion, n_bytes = [], 0
                    if self._stopped.is_set():
                        return
                while stream.read(_PORTION_BYTES):  # the checksum stands at the very end
                    pass
        except READ_ERRORS as error:
            self._put(portion)
            self._put(DatasetError(_damage(header, index, error)))
        self._put(None)

    def _volume(self, stream: object) -> Shaped[np.ndarray, "z y x"]:
        header = self._header
        volume = np.empty(header.shape[2::-1], dtype=header.dtype)
        _fill(stream, volume.view(np.uint8).data.cast("B"))
        return (
            volume
            if header.dtype.isnative
            else volume.byteswap().view(header.dtype.newbyteorder("="))
        )


def _skip(stream: object, n_bytes: int) -> None:
    _fill(stream, memoryview(bytearray(n_bytes)))


def _fill(stream: object, target: memoryview) -> None:
    filled = 0
    while filled < len(target):
        n_bytes = stream.readinto(target[filled:])  # type: ignore[attr-defined]
        if not n_bytes:
            raise EOFError("the file ends before its last volume")
        filled += n_bytes


def _damage(header: ImageHeader, index: int, error: Exception) -> Problem:
    n_volumes = header.shape[3]
    whole = index == n_volumes - 1 and not isinstance(error, EOFError)
    where = f"at volume {max(index, 0)}, counted from 0"
    return Problem(
        what="the image is damaged: its checksum is wrong"
        if whole
        else f"the image is truncated or damaged {where}",
        file=str(header.path),
        found=str(error),
        expected=f"{n_volumes} volumes",
    )


def open_volumes(path: Path) -> VolumeReader:
    """Open a run for reading its volumes in order, in bounded memory.

    Parameters
    ----------
    path : Path
        4D NIfTI image, ``.nii`` or ``.nii.gz``.

    Returns
    -------
    VolumeReader
        To be used in a ``with`` block.

    Raises
    ------
    DatasetError
        The file is missing, not NIfTI or not 4D. Damage further on is raised while iterating,
        naming the file and the volume.

    Examples
    --------
    >>> import tempfile, numpy as np
    >>> from pathlib import Path
    >>> from phmri.dataset import open_volumes, write_image
    >>> path = Path(tempfile.mkdtemp()) / "bold.nii.gz"
    >>> _ = write_image(path, np.ones((4, 3, 2, 5), dtype=np.float32), np.eye(4), t_r=2.0)
    >>> with open_volumes(path) as run:
    ...     run.shape, run.n_volumes, run.t_r, sum(float(volume.sum()) for volume in run)
    ((4, 3, 2), 5, 2.0, 120.0)
    """
    header = header_of(Path(path))
    if len(header.shape) != _N_AXES:
        problem = Problem(
            what="not a 4D image",
            file=str(path),
            found=f"shape {header.shape}",
            expected="x, y, z and volumes",
        )
        raise DatasetError(problem)
    return VolumeReader(header)
