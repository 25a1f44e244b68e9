r"""Correct heart beats by their intervals.

The expected interval is the median of the eleven around it. A beat after less than 0.6 of that is
one too many: of its two beats the one goes whose loss leaves intervals nearer to whole numbers of
the expected one. An
interval longer than 1.6 of it holds missed beats: as many are put in, evenly, as bring it nearest
to the expected one. A premature beat and the pause after it are so replaced by one beat in the
middle.
"""

import numpy as np
import scipy.ndimage
from jaxtyping import Bool, Float

__all__ = ["correct_beats"]

_AROUND = 11  # intervals whose median is expected: about two breaths
_TOO_SHORT, _TOO_LONG = 0.6, 1.6


def correct_beats(
    times_s: Float[np.ndarray, " n_found"],
) -> tuple[Float[np.ndarray, " n_beats"], Bool[np.ndarray, " n_beats"], int]:
    """Take out extra beats and put in missed ones.

    Parameters
    ----------
    times_s : ndarray of shape (n_found,)
        Beats as found, in seconds, ascending.

    Returns
    -------
    times_s : ndarray of shape (n_beats,)
    inserted : ndarray of shape (n_beats,)
        True for those put in.
    n_removed : int
        Beats taken out.
    """
    kept = _without_extra(times_s)
    intervals = np.diff(kept)
    expected = _expected(intervals)
    missed = np.where(
        intervals > _TOO_LONG * expected, np.maximum(np.rint(intervals / expected), 2.0) - 1, 0
    ).astype(np.int64)
    pieces, flags = [kept[:1]], [np.zeros(1, bool)]
    for i, count in enumerate(missed):
        pieces.append(np.linspace(kept[i], kept[i + 1], count + 2)[1:])
        flags.append(np.arange(count + 1) < count)
    return np.concatenate(pieces), np.concatenate(flags), times_s.size - kept.size


def _expected(intervals: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    return np.asarray(scipy.ndimage.median_filter(intervals, _AROUND, mode="nearest"))


def _without_extra(times_s: Float[np.ndarray, " n_found"]) -> Float[np.ndarray, " n_kept"]:
    kept = times_s
    while kept.size > 2:  # noqa: PLR2004 - two beats are one interval
        intervals = np.diff(kept)
        expected = _expected(intervals)
        ratio = intervals / expected
        i = int(np.argmin(ratio))
        if ratio[i] >= _TOO_SHORT:
            break
        kept = np.delete(kept, i + int(_later_goes(kept, i, float(expected[i]))))
    return kept


def _later_goes(times_s: Float[np.ndarray, " n"], i: int, expected: float) -> bool:
    """Tell whether the beat after interval i is the extra one; at an end the outer one is."""
    if i == 0 or i + 2 >= times_s.size:
        return i != 0
    before, first, second, after = times_s[i - 1 : i + 3]
    without_first = np.array([second - before, after - second]) / expected
    without_second = np.array([first - before, after - first]) / expected
    return bool(_irregular(without_second) < _irregular(without_first))


def _irregular(cycles: Float[np.ndarray, " n"]) -> float:
    """Give the distance from whole numbers of cycles, at least one each."""
    return float(np.abs(cycles - np.maximum(np.rint(cycles), 1.0)).sum())
