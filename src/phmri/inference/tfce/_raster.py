"""Which neighbours of a voxel are higher, and whether these are connected, for all voxels.

A voxel whose higher neighbours are connected with each other through voxels that are higher, too,
joins one component, whichever neighbour it asks. It is enough to know one of them. Only the rest
(about one in twenty) may unite components and have to ask all. The test looks no further than
the cube around the voxel: failing it costs time, never a wrong answer.

The cube is 27 bits, bit ``9 (x + 1) + 3 (y + 1) + (z + 1)`` the neighbour at ``(x, y, z)``.
Heights are compared as the bit patterns of floating-point numbers, which are ordered as the
numbers are. With the sign bit of the voxel itself flipped, a neighbour of the other sign is
negative and never higher. Of equal heights the earlier in the box counts as higher.
"""

from collections.abc import Callable
from itertools import product
from typing import no_type_check

import numba
import numpy as np
from numba.cpython.unsafe.numbers import trailing_zeros

__all__ = ["BLOCK", "PEAK", "SADDLE", "SPREAD", "WANTED", "mark_higher"]

BLOCK = 64
"""Cells handled together, as many as a few vector registers hold."""
OWN_ROW = 4
PEAK, SADDLE = 13, 27
"""No higher neighbour (the voxel's own bit); higher neighbours that are perhaps not connected."""


def _bits(keep: Callable[[int, int, int], bool]) -> np.int32:
    cube = product((-1, 0, 1), repeat=3)
    return np.int32(sum(1 << bit for bit, place in enumerate(cube) if keep(*place)))


UP_Y, DOWN_Y = _bits(lambda x, y, z: y < 1), _bits(lambda x, y, z: y > -1)
UP_Z, DOWN_Z = _bits(lambda x, y, z: z < 1), _bits(lambda x, y, z: z > -1)
WANTED = {
    6: _bits(lambda x, y, z: abs(x) + abs(y) + abs(z) == 1),
    18: _bits(lambda x, y, z: abs(x) + abs(y) + abs(z) in {1, 2}),
    26: _bits(lambda x, y, z: any((x, y, z))),
}
"""Neighbours by connectivity."""


@numba.njit(nogil=True)
@no_type_check
def _along_x(cube):
    return (cube << 9) | (cube >> 9)


@numba.njit(nogil=True)
@no_type_check
def _along_y(cube):
    return ((cube & UP_Y) << 3) | ((cube & DOWN_Y) >> 3)


@numba.njit(nogil=True)
@no_type_check
def _along_z(cube):
    return ((cube & UP_Z) << 1) | ((cube & DOWN_Z) >> 1)


@numba.njit(nogil=True)
@no_type_check
def _spread_6(cube):
    return cube | _along_x(cube) | _along_y(cube) | _along_z(cube)


@numba.njit(nogil=True)
@no_type_check
def _spread_18(cube):
    x, y, z = cube | _along_x(cube), cube | _along_y(cube), cube | _along_z(cube)
    return x | _along_y(x) | y | _along_z(y) | z | _along_x(z)


@numba.njit(nogil=True)
@no_type_check
def _spread_26(cube):
    cube |= _along_x(cube)
    cube |= _along_y(cube)
    return cube | _along_z(cube)


SPREAD = {6: _spread_6, 18: _spread_18, 26: _spread_26}
"""A set of places in the cube to these and their neighbours, by connectivity."""


@numba.njit(nogil=True, inline="always")
@no_type_check
def _mark_row(row, flip, limit, cubes, bit, corners):
    # Three neighbours at a time: a row along z, of which only the middle is no corner.
    low, middle, high = bit, bit << 1, bit << 2
    none = np.int32(0)
    if corners:
        for z in range(BLOCK):
            cube = cubes[z]
            cube |= low if (row[z] ^ flip[z]) >= limit[z] else none
            cube |= middle if (row[z + 1] ^ flip[z]) >= limit[z] else none
            cube |= high if (row[z + 2] ^ flip[z]) >= limit[z] else none
            cubes[z] = cube
    else:
        for z in range(BLOCK):
            cubes[z] |= middle if (row[z + 1] ^ flip[z]) >= limit[z] else none


@numba.njit(nogil=True, inline="always")
@no_type_check
def _mark_block(box, start, plan, flip, limit, cubes):
    own = box[start - 1 : start + BLOCK + 1]
    none = np.int32(0)
    for z in range(BLOCK):
        limit[z] = own[z + 1] & plan.largest
        flip[z] = own[z + 1] ^ limit[z]
        cube = np.int32(1 << 12) if (own[z] ^ flip[z]) >= limit[z] else none
        cubes[z] = cube | (np.int32(1 << 14) if (own[z + 2] ^ flip[z]) > limit[z] else none)
    for row in range(9):
        if row == OWN_ROW:  # of equal heights, later ones do not count as higher
            for z in range(BLOCK):
                limit[z] += 1
            continue
        first = start + plan.rows[row] - 1
        neighbours = box[first : first + BLOCK + 2]
        whole = plan.corners or row % 2 == 1
        _mark_row(neighbours, flip, limit, cubes, np.int32(1 << (3 * row)), whole)


@numba.njit(nogil=True)
@no_type_check
def mark_higher(values, box, plan, spread, higher, links):
    # box: bit patterns of the heights, 0 outside the mask. Blocks cover all voxels of the mask
    # and some cells beside it, for which the answer means nothing.
    for i in range(values.shape[0]):
        box[plan.places[i]] = values[i]
    flip = np.empty(BLOCK, box.dtype)
    limit = np.empty(BLOCK, box.dtype)
    cubes = np.empty(BLOCK, np.int32)
    for block in range(plan.blocks.shape[0]):
        start = plan.blocks[block]
        _mark_block(box, start, plan, flip, limit, cubes)
        block_higher = higher[start : start + BLOCK]
        block_links = links[start : start + BLOCK]
        for z in range(BLOCK):
            cube = cubes[z]
            wanted = cube & plan.wanted
            met = wanted & -wanted
            met = spread(met) & cube
            met = spread(met) & cube
            met = spread(met) & cube
            met = spread(met) & cube
            link = np.int32(PEAK) if wanted == 0 else trailing_zeros(wanted)
            block_links[z] = link if (met & wanted) == wanted else np.int32(SADDLE)
            block_higher[z] = wanted
