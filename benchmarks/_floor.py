"""The least work that exact TFCE could do: sort all voxels by height, look at all neighbours.

Written for this comparison alone, and shares no code with the engine, so that making that faster
or slower leaves the floor where it is.
"""

from collections.abc import Callable
from itertools import product

import numba
import numpy as np

BITS = 11
N_DIGITS = 3
"""Digits of a height: its bit pattern without the sign has 31 bits."""


@numba.njit
def _sort(heights, words, spare):
    # By digits, the last first; a word is the height above the number of the voxel.
    n_values = 1 << BITS
    last = np.uint64(n_values - 1)
    places = np.zeros((N_DIGITS, n_values), np.uint32)
    for i in range(heights.size):
        height = np.uint64(heights[i] & np.uint32(0x7FFFFFFF))
        words[i] = (height << np.uint64(32)) | np.uint64(i)
        for digit in range(N_DIGITS):
            places[digit, (height >> np.uint64(BITS * digit)) & last] += 1
    for digit in range(N_DIGITS):
        place = 0
        for value in range(n_values):
            count = places[digit, value]
            places[digit, value] = place
            place += count
        shift = np.uint64(32 + BITS * digit)
        for i in range(words.size):
            word = words[i]
            value = (word >> shift) & last
            spare[places[digit, value]] = word
            places[digit, value] += 1
        words, spare = spare, words
    return words


@numba.njit
def _count_higher(values, box, places, runs, steps, higher):
    # Runs are of voxels that follow each other in memory: the innermost loop has no branch.
    for i in range(values.size):
        box[places[i]] = values[i]
    for r in range(runs.shape[0]):
        start, length = runs[r]
        own, count = box[start : start + length], higher[start : start + length]
        count[:] = 0
        for k in range(steps.size):
            other = box[start + steps[k] : start + steps[k] + length]
            for cell in range(length):
                count[cell] += np.int8(other[cell] > own[cell])


def make_floor(mask: np.ndarray) -> Callable[[np.ndarray], None]:
    """Give the least work as a function of a map (float32, one value per voxel of the mask)."""
    padded = np.pad(mask, 1)  # so that every voxel has all its neighbours
    places = np.flatnonzero(padded)
    strides = np.array([padded.shape[1] * padded.shape[2], padded.shape[2], 1])
    steps = np.array([step for step in product((-1, 0, 1), repeat=3) if any(step)]) @ strides
    ends = np.flatnonzero(np.diff(places, prepend=-1, append=places[-1] + 2) != 1)
    runs = np.column_stack([places[ends[:-1]], np.diff(ends)])
    box = np.zeros(padded.size, np.float32)
    higher = np.empty(padded.size, np.int8)
    words, spare = np.empty((2, places.size), np.uint64)

    def least(values: np.ndarray) -> None:
        _count_higher(values, box, places, runs, steps, higher)
        _sort(values.view(np.uint32), words, spare)

    return least
