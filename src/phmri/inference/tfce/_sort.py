"""Voxels in the order of their heights: positive ones falling, then negative ones falling.

Sorting by digits of the bit pattern, the last digit first, keeps the order of equal ones and
compares nothing, so that time grows with the number of voxels only. A word to be sorted is 32 bits
of the key above the 32 bits of the entry; the key of a float64 takes two rounds, last half first.
"""

from typing import no_type_check

import numba
import numpy as np

from phmri.inference.tfce._forest import SHIFT
from phmri.inference.tfce._raster import PEAK

__all__ = ["sort_heights"]

DIGIT = 11
N_VALUES = 1 << DIGIT
LOWER = np.uint64(0xFFFFFFFF)


@numba.njit(nogil=True)
@no_type_check
def _key(bits, largest):
    # Rises as the height falls; the sign bit puts negative heights after positive ones.
    height = bits & largest
    return np.uint64((largest - height) | (bits ^ height))


@numba.njit(nogil=True)
@no_type_check
def _count_digits(words):
    # Returns where the first word with each value of each of the three digits has its place.
    counts = np.zeros((3, N_VALUES), np.uint32)
    for i in range(words.shape[0]):
        for digit in range(3):
            shift = np.uint64(32 + DIGIT * digit)
            counts[digit, (words[i] >> shift) & np.uint64(N_VALUES - 1)] += np.uint32(1)
    for digit in range(3):
        place = np.uint32(0)
        for value in range(N_VALUES):
            count = counts[digit, value]
            counts[digit, value] = place
            place += count
    return counts


@numba.njit(nogil=True)
@no_type_check
def _move(words, out, places, digit):
    shift = np.uint64(32 + DIGIT * digit)
    for i in range(words.shape[0]):
        value = (words[i] >> shift) & np.uint64(N_VALUES - 1)
        place = places[value]
        places[value] = place + np.uint32(1)
        out[place] = words[i]


@numba.njit(nogil=True)
@no_type_check
def _move_last(words, entries, heights, places, box, largest, wide):
    # The last digit, and out of words: the key of a float32 is its height, that of a float64 only
    # half of it.
    shift = np.uint64(32 + 2 * DIGIT)
    for i in range(words.shape[0]):
        word = words[i]
        value = word >> shift
        place = places[value]
        places[value] = place + np.uint32(1)
        entries[place] = word & LOWER
        if wide:
            bits = box[np.int64(word & LOWER) >> SHIFT] & largest
            heights[place] = np.int64(bits).view(np.float64)
        else:
            bits = ~(word >> np.uint64(32)) & np.uint64(0x7FFFFFFF)
            heights[place] = np.uint32(bits).view(np.float32)


@numba.njit(nogil=True)
@no_type_check
def sort_heights(values, box, plan, links, words, spare, forest):
    # values: bit patterns. Fills the entries and, as powers, the heights without sign. Returns
    # the number of positive heights, of all that are not 0, and of peaks.
    n, n_positive, n_peaks = 0, 0, 0
    for i in range(values.shape[0]):
        cell = np.int64(plan.places[i])
        entry = np.uint64((cell << SHIFT) | links[cell])
        words[n] = (_key(values[i], plan.largest) << np.uint64(32)) | entry
        there = (values[i] & plan.largest) != 0
        n += there
        n_positive += there and values[i] > 0
        n_peaks += there and links[cell] == PEAK
    words, spare = words[:n], spare[:n]
    places = _count_digits(words)
    _move(words, spare, places[0], 0)
    _move(spare, words, places[1], 1)
    if plan.wide:
        _move(words, spare, places[2], 2)
        for i in range(n):
            entry = spare[i] & LOWER
            key = _key(box[np.int64(entry) >> SHIFT], plan.largest)
            words[i] = ((key >> np.uint64(32)) << np.uint64(32)) | entry
        places = _count_digits(words)
        _move(words, spare, places[0], 0)
        _move(spare, words, places[1], 1)
    heights = forest.powers
    _move_last(words, forest.entries, heights, places[2], box, plan.largest, plan.wide)
    return n_positive, n, n_peaks
