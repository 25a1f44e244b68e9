"""Noise of real runs, resampled so that nothing but its statistics is left."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32, Int
from scipy import fft, ndimage

from phmri.dataset import VolumeReader, file_sha256, open_volumes
from phmri.exceptions import DatasetError, Problem, SimulationError
from phmri.simulation._anatomy import Anatomy
from phmri.simulation._truth import FromRuns, Truth

__all__ = ["LABEL", "RealRun", "find_real_runs", "real_noise", "resample"]

LABEL = "acq-simulated"
"""In the names of all runs that are made here."""
_MOST_BORROWED = 0.2  # of the brain may be without signal, mean or noise of its own
_SIZE_TOLERANCE = 0.1  # of a voxel's edge: neither smoothed nor copied noise
_T_R_TOLERANCE_S = 1e-3
_LEAST_SIGNAL = 0.1  # of the bright end of an image: below it is air
_LEAST_MEAN = 0.2  # of the median: where the run itself has lost its signal, percent mean nothing
_COLUMNS_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RealRun:
    """A run whose noise can be resampled onto an anatomy.

    Parameters
    ----------
    path : Path
        Of the image.
    sha256 : str
        Of its bytes.
    t_r : float
        Seconds.
    n_volumes : int
        Length.
    voxels : ndarray of shape (n_voxels,)
        For each voxel of the anatomy the nearest one of the run with signal, counted with x
        running fastest.
    """

    path: Path
    sha256: str
    t_r: float
    n_volumes: int
    voxels: Int[np.ndarray, " n_voxels"]


def resample(
    series: Float[np.ndarray, "n_volumes n_columns"],
    rng: np.random.Generator,
    *,
    method: Literal["phase", "block"] = "phase",
    block: int = 15,
) -> Float32[np.ndarray, "n_volumes n_columns"]:
    r"""Draw a surrogate of time series, of voxels or regions.

    Parameters
    ----------
    series : ndarray of shape (n_volumes, n_columns)
        Any unit.
    rng : numpy.random.Generator
        Source of randomness.
    method : {"phase", "block"}
        ``phase`` keeps every spectrum and every correlation between columns, and makes the
        series Gaussian; ``block`` keeps the values themselves, and what lies within a block.
    block : int
        Volumes per block; at least 1.

    Returns
    -------
    ndarray of shape (n_volumes, n_columns)
        Without mean and linear trend before, without mean after resampling.

    Notes
    -----
    ``phase`` turns the Fourier coefficient of frequency *k* by one random angle that all columns
    share, :math:`F_{kj} e^{i\varphi_k}` [1]_: cross-spectra :math:`F_{ki} \bar F_{kj}` do not
    change. It assumes that the noise is stationary.

    References
    ----------
    .. [1] Prichard D, Theiler J. Generating surrogate data for time series with several
       simultaneously measured variables. Phys Rev Lett 73, 1994, 951-954.
       doi:10.1103/PhysRevLett.73.951
    """
    n = series.shape[0]
    angles = rng.uniform(0.0, 2 * np.pi, n // 2 + 1)
    if n % 2 == 0:
        angles[-1] = np.pi * rng.integers(2)  # this coefficient is real
    starts = np.arange(0, n, block)
    order = np.concatenate([np.arange(s, min(s + block, n)) for s in rng.permutation(starts)])
    turn = np.exp(1j * angles).astype(np.complex64)[:, None]
    line = np.stack([np.ones(n), np.linspace(-1.0, 1.0, n)], axis=1)
    line /= np.linalg.norm(line, axis=0)
    made = np.empty(series.shape, dtype=np.float32)
    for start in range(0, series.shape[1], _COLUMNS_AT_ONCE):
        some = slice(start, start + _COLUMNS_AT_ONCE)
        residual = series[:, some] - line @ (line.T @ series[:, some])
        residual = residual.astype(np.float32)
        if method == "phase":
            made[:, some] = fft.irfft(fft.rfft(residual, axis=0) * turn, n=n, axis=0)
        else:
            made[:, some] = residual[order]
    made -= made.mean(axis=0, dtype=np.float64).astype(np.float32)
    return made


def find_real_runs(truth: Truth, anatomy: Anatomy, folder: Path) -> tuple[RealRun, ...]:
    """Find the runs that a truth takes its noise from, and where they lie in the brain.

    Parameters
    ----------
    truth : Truth
        Names them, or none.
    anatomy : Anatomy
        The brain and its grid.
    folder : Path
        That the files are relative to.

    Returns
    -------
    tuple of RealRun
        Empty where the truth draws its noise.

    Raises
    ------
    SimulationError
        Files are missing or unreadable to their end, hold values that are not finite, have no mean
        or no noise, or their space, voxels, field of view, length or repetition time do not fit;
        all at once.
    """
    wanted = truth.background.from_runs
    if wanted is None:
        return ()
    found: list[RealRun] = []
    problems: list[Problem] = []
    for path in _images(wanted, folder, problems):
        try:
            with open_volumes(path) as reader:
                told = list(_misfits(reader, truth, anatomy))
                if told:
                    problems.extend(told)
                    continue
                voxels, borrowed = _nearest_voxels(reader, anatomy)
            problem = _unusable(path, voxels, borrowed)
        except DatasetError as error:
            problems.extend(error.problems)
            continue
        if problem is not None:
            problems.append(problem)
            continue
        found.append(
            RealRun(
                path=path,
                sha256=file_sha256(path),
                t_r=reader.t_r or 0.0,
                n_volumes=reader.n_volumes,
                voxels=voxels,
            )
        )
    if problems:
        raise SimulationError(*problems)
    return tuple(found)


def real_noise(
    source: RealRun,
    n_volumes: int,
    rng: np.random.Generator,
    *,
    method: Literal["phase", "block"],
    block_s: float,
) -> Float32[np.ndarray, "n_volumes n_voxels"]:
    """Resample a stretch of a real run.

    Parameters
    ----------
    source : RealRun
        At least that long.
    n_volumes : int
        Of the simulated run; the stretch of the real one is drawn.
    rng : numpy.random.Generator
        Source of randomness.
    method : {"phase", "block"}
        Of `resample`.
    block_s : float
        Seconds per block.

    Returns
    -------
    ndarray of shape (n_volumes, n_voxels)
        Shares of each voxel's own mean.
    """
    start = int(rng.integers(source.n_volumes - n_volumes + 1))
    series = np.empty((n_volumes, source.voxels.size), dtype=np.float32)
    with open_volumes(source.path) as reader:
        for t, volume in enumerate(reader):
            if t >= start + n_volumes:
                break
            if t >= start:
                series[t - start] = _values(reader, volume)[source.voxels]
    mean = series.mean(axis=0, dtype=np.float64)
    level = np.maximum(mean, _LEAST_MEAN * np.median(mean)).astype(np.float32)
    block = max(1, round(block_s / source.t_r))
    made = resample(series, rng, method=method, block=block)
    made /= level
    return made


def _images(wanted: FromRuns, folder: Path, problems: list[Problem]) -> list[Path]:
    found: dict[Path, None] = {}
    for name in wanted.files:
        path = folder / Path(name).expanduser()
        inside = sorted(path.rglob("*_bold.nii*")) if path.is_dir() else [path]
        if not inside or not path.exists():
            problems.append(
                Problem(
                    what="there is no run to take noise from",
                    field="background.from_runs.files",
                    found=str(path),
                    expected="an image, or a folder with files *_bold.nii.gz",
                )
            )
            continue
        found |= dict.fromkeys(inside)
    return list(found)


def _misfits(reader: VolumeReader, truth: Truth, anatomy: Anatomy) -> Iterator[Problem]:
    file = str(reader.path)
    if LABEL in reader.path.name:
        yield Problem(what="the run is simulated itself", file=file, expected="a run of a person")
    _, marked, rest = reader.path.name.partition("_space-")
    space = rest.partition("_")[0]
    if marked and space != anatomy.space:
        yield Problem(
            what="the run lies in another space", file=file, found=space, expected=anatomy.space
        )
    sizes, wanted = (
        np.sqrt((affine[:3, :3] ** 2).sum(axis=0)) for affine in (reader.affine, anatomy.affine)
    )
    if np.abs(np.sort(sizes) / np.sort(wanted) - 1).max() > _SIZE_TOLERANCE:
        yield Problem(
            what="the voxels of the run have another size",
            file=file,
            found=" x ".join(f"{size:.3g}" for size in sizes) + " mm",
            expected=" x ".join(f"{size:.3g}" for size in wanted) + " mm",
        )
    for name, scan in truth.scans.items():
        if reader.n_volumes < scan.n_volumes:
            yield Problem(
                what=f"the run is shorter than scan {name}",
                file=file,
                found=f"{reader.n_volumes} volumes",
                expected=f"at least {scan.n_volumes}",
            )
        if reader.t_r is None or abs(reader.t_r - scan.t_r) > _T_R_TOLERANCE_S:
            yield Problem(
                what=f"the run has another repetition time than scan {name}",
                file=file,
                found="none" if reader.t_r is None else f"{reader.t_r:g} s",
                expected=f"{scan.t_r:g} s",
            )


def _nearest_voxels(
    reader: VolumeReader, anatomy: Anatomy
) -> tuple[Int[np.ndarray, " n_voxels"], float]:
    """Give the nearest voxel with signal, and the share of the brain that must borrow one."""
    first = _values(reader, next(iter(reader))).reshape(reader.shape, order="F")
    first = np.nan_to_num(first, nan=0.0, posinf=0.0, neginf=0.0)
    signal = first > _LEAST_SIGNAL * np.percentile(first, 98)
    if not signal.any():
        return np.zeros(anatomy.grey.size, dtype=np.intp), 1.0
    inverse = np.linalg.inv(reader.affine)
    exact = anatomy.position_mm @ inverse[:3, :3].T + inverse[:3, 3]
    index = np.rint(exact).astype(np.intp)
    inside = np.clip(index, 0, np.asarray(reader.shape) - 1)
    there = (index == inside).all(axis=1) & signal[tuple(inside.T)]
    nearest = ndimage.distance_transform_edt(~signal, return_distances=False, return_indices=True)
    x, y, z = (axis[tuple(inside.T)] for axis in nearest)
    voxels = np.ravel_multi_index((x, y, z), reader.shape, order="F")
    return np.asarray(voxels, dtype=np.intp), float(1 - there.mean())


def _unusable(path: Path, voxels: Int[np.ndarray, " n_voxels"], borrowed: float) -> Problem | None:
    """Read a run to its end and say why its noise cannot be told in percent of its mean."""
    file = str(path)
    if borrowed > _MOST_BORROWED:
        return Problem(
            what="the run has no signal in a large part of the brain",
            file=file,
            found=f"none in {borrowed:.0%} of the voxels",
            expected=f"at most {_MOST_BORROWED:.0%}, in an image that has its mean",
        )
    with open_volumes(path) as reader:
        # From the first volume on: sums of differences are exactly 0 where nothing changes.
        first, total, squares = (np.zeros(voxels.size) for _ in range(3))
        for t, volume in enumerate(reader):
            values = _values(reader, volume)[voxels].astype(np.float64)
            if not np.isfinite(values).all():
                return Problem(
                    what="the run holds NaN or infinity",
                    file=file,
                    found=f"in volume {t} (counted from 0)",
                )
            if t == 0:
                first = values
            total += values - first
            squares += (values - first) ** 2
        shift = total / reader.n_volumes
        sd = np.sqrt(np.maximum(squares / reader.n_volumes - shift**2, 0.0))
    constant, centred = (float(some.mean()) for some in (squares == 0.0, first + shift <= sd))
    if constant > _MOST_BORROWED:
        return Problem(
            what="the run has no noise: values do not change in a large part of the brain",
            file=file,
            found=f"constant in {constant:.0%} of the voxels",
            expected=f"at most {_MOST_BORROWED:.0%}",
        )
    if centred > _MOST_BORROWED:
        return Problem(
            what="the run has lost its mean in time, so its noise is no percentage of it",
            file=file,
            found=f"mean not above the standard deviation in {centred:.0%} of the voxels",
            expected=f"at most {_MOST_BORROWED:.0%}, in a run of which no mean was removed",
        )
    return None


def _values(reader: VolumeReader, volume: np.ndarray) -> Float32[np.ndarray, " n"]:
    values = volume.ravel().astype(np.float32)
    values *= np.float32(reader.slope)
    values += np.float32(reader.inter)
    return values
