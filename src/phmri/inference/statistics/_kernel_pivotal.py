"""Inner loop of the statistics with a residual variance per group: v of Aspin and Welch, and G."""

from typing import no_type_check

import numba
import numpy as np

__all__ = ["pivotal"]

CHUNK = 256
"""Outcomes worked on at once, in float64, so that what lies between stays in near caches."""
LEAST_FREEDOM = 1e-9
"""Residual degrees of freedom of a group below which it has none."""
HELD = 1e-13
"""Squared length of a column, relative to before, below which those before it hold it."""


# Columns of the model are orthonormal: first those that the data are orthogonal to, then the
# ones they meet, last those of the contrast. A regressor of length 1 per outcome (a voxelwise
# baseline) may stand before all of them; it is orthogonal to the first kind alone.
@numba.njit(nogil=True, error_model="numpy")
@no_type_check
def pivotal(crossed, model, n_contrasts, least, out, uneven, first_out):
    # crossed: over the rows of group g, products[k, g, j, v] of the baseline and the columns met
    # with the shuffled data, squares[k, g, v] of these data, and along[k, g, j, v] of the
    # baseline with itself (j = 0) and all columns, or empty. model: gram[k, g, i, j] of all
    # columns, freedom[k, g] (trace of the residual-forming matrix over the rows of g), size[k, g].
    # out[k, first_out + v] receives the statistic and uneven[k, v], unless empty,
    # sum_g (1 - w_g / sum w)^2 / freedom_g with w the weight times the size.
    products, squares, along = crossed
    gram, freedom, size = model
    n_groups, n_met, n_outcomes = products.shape[1:]
    n_columns, n_beside = gram.shape[2], along.shape[2] if along.size else 0
    product = np.zeros((n_groups, n_met, CHUNK))
    beside = np.zeros((n_groups, n_beside, CHUNK))
    square, weight, free = np.zeros((3, n_groups, CHUNK))
    beta, hat = np.zeros((2, n_met, CHUNK))
    side = max(n_columns, n_beside)
    factor = np.empty((side, side, CHUNK))
    value, spread = np.empty((2, CHUNK))
    for start in range(0, n_outcomes, CHUNK):
        n = min(CHUNK, n_outcomes - start)
        for k in range(out.shape[0]):
            m = min(k, len(gram) - 1)
            if k == m:
                _take(along, m, start, beside)
                _leave(beside, hat)
                _release(gram[m], beside, hat, freedom[m], free)
            _take(products, k, start, product)
            for g in range(n_groups):
                for v in range(n):
                    square[g, v] = squares[k, g, start + v]
            _solve(product, hat, n_beside, beta)
            _reduce(product, gram[m], beside, beta, square, weight)
            _weigh(weight, free, square, size[m], least, spread)
            _collect(gram[m], beside, weight, factor)
            _factorise(factor)
            _compare(beta, factor, spread, n_contrasts, value)
            for v in range(n):
                out[k, first_out + start + v] = value[v]
            for v in range(n if uneven.size else 0):
                uneven[k, start + v] = spread[v]


@numba.njit(nogil=True, error_model="numpy")
@no_type_check
def _take(source, k, start, target):
    for g in range(target.shape[0]):
        for j in range(target.shape[1]):
            for v in range(min(CHUNK, source.shape[3] - start)):
                target[g, j, v] = source[k, g, j, start + v]


@numba.njit(nogil=True, error_model="numpy")
@no_type_check
def _leave(beside, hat):
    # Coordinates (1, -a) / |u - X a| of what the columns X leave of the baseline u, a = X'u.
    n_groups, n_beside, _ = beside.shape
    n_met = len(hat)
    for j in range(n_met if n_beside else 0):
        for v in range(CHUNK):
            hat[j, v] = 0.0 if j else 1.0
        for g in range(n_groups if j else 0):
            for v in range(CHUNK):
                hat[j, v] -= beside[g, n_beside - n_met + j, v]
        for v in range(CHUNK if j else 0):
            hat[0, v] -= hat[j, v] * hat[j, v]
    for v in range(CHUNK if n_beside else 0):
        hat[0, v] = 1 / np.sqrt(max(hat[0, v], 1e-12))
    for j in range(1, n_met if n_beside else 0):
        for v in range(CHUNK):
            hat[j, v] *= hat[0, v]


@numba.njit(nogil=True, error_model="numpy")
@no_type_check
def _solve(product, hat, n_beside, beta):
    # Ordinary least squares: of orthonormal columns the products themselves, and beside a baseline
    # h (h'c) more, h its coordinates in `hat`.
    n_groups, n_met, _ = product.shape
    along = np.zeros(CHUNK)
    for j in range(n_met):
        for v in range(CHUNK):
            beta[j, v] = 0.0
        for g in range(n_groups):
            for v in range(CHUNK):
                beta[j, v] += product[g, j, v]
        for v in range(CHUNK if n_beside else 0):
            along[v] += hat[j, v] * beta[j, v]
    for j in range(n_met if n_beside else 0):
        keep = 1.0 if j else 0.0
        for v in range(CHUNK):
            beta[j, v] = keep * beta[j, v] + hat[j, v] * along[v]


@numba.njit(nogil=True, error_model="numpy")
@no_type_check
def _reduce(product, gram, beside, beta, square, rss):
    # Residual sums of squares of the groups: e'e + b'(Kb - 2c).
    n_groups, n_met, _ = product.shape
    first = 1 if beside.shape[1] else 0
    skipped, beside_skipped = gram.shape[1] + first - n_met, beside.shape[1] - n_met
    inner = np.empty(CHUNK)
    for g in range(n_groups):
        for v in range(CHUNK):
            rss[g, v] = square[g, v]
        for i in range(n_met):
            for v in range(CHUNK):
                inner[v] = -2 * product[g, i, v]
            for j in range(i + 1):
                twice = 1.0 if i == j else 2.0
                if j < first:
                    place = beside_skipped + i if i else 0
                    for v in range(CHUNK):
                        inner[v] += twice * beside[g, place, v] * beta[j, v]
                else:
                    entry = twice * gram[g, skipped + i - first, skipped + j - first]
                    for v in range(CHUNK):
                        inner[v] += entry * beta[j, v]
            for v in range(CHUNK):
                rss[g, v] += beta[i, v] * inner[v]


@numba.njit(nogil=True, error_model="numpy")
@no_type_check
def _release(gram, beside, hat, freedom, free):
    # Degrees of freedom of the groups, less the share of the baseline: h'Kh.
    n_groups, n_beside, _ = beside.shape
    n_met = len(hat)
    for g in range(n_groups):
        for v in range(CHUNK):
            free[g, v] = freedom[g]
        for i in range(n_met if n_beside else 0):
            place = n_beside - n_met + i if i else 0
            twice = 2.0 if i else 1.0
            for v in range(CHUNK):
                free[g, v] -= twice * beside[g, place, v] * hat[0, v] * hat[i, v]
            for j in range(1, n_met if i else 0):
                entry = gram[g, place - 1, n_beside - n_met + j - 1]
                for v in range(CHUNK):
                    free[g, v] -= entry * hat[i, v] * hat[j, v]


@numba.njit(nogil=True, error_model="numpy")
@no_type_check
def _weigh(weight, free, square, size, least, spread):
    # From residual sums of squares to weights, and how unevenly groups share the information;
    # NaN where a group has no residual freedom.
    total = np.zeros(CHUNK)
    for g in range(len(weight)):
        for v in range(CHUNK):
            rss = max(weight[g, v], least * square[g, v], 1e-30)
            weight[g, v] = max(free[g, v], 0.0) / rss
            total[v] += weight[g, v] * size[g]
    for v in range(CHUNK):
        total[v] = 1 / total[v]
        spread[v] = 0.0
    for g in range(len(weight)):
        for v in range(CHUNK):
            part = 1 - weight[g, v] * size[g] * total[v]
            spread[v] += part * part / (free[g, v] if free[g, v] > LEAST_FREEDOM else np.nan)


@numba.njit(nogil=True, error_model="numpy")
@no_type_check
def _collect(gram, beside, weight, factor):
    # Lower triangle of M'WM.
    first = 1 if beside.shape[1] else 0
    for i in range(len(factor)):
        for j in range(i + 1):
            for v in range(CHUNK):
                factor[i, j, v] = 0.0
            for g in range(len(gram)):
                if j < first:
                    for v in range(CHUNK):
                        factor[i, j, v] += weight[g, v] * beside[g, i, v]
                else:
                    entry = gram[g, i - first, j - first]
                    for v in range(CHUNK):
                        factor[i, j, v] += weight[g, v] * entry


@numba.njit(nogil=True, error_model="numpy")
@no_type_check
def _factorise(factor):
    # Cholesky in place, lower triangle; a column that those before it hold becomes 0.
    inverse = np.empty(CHUNK)
    for j in range(len(factor)):
        for v in range(CHUNK):
            inverse[v] = HELD * factor[j, j, v]
        for h in range(j):
            for v in range(CHUNK):
                factor[j, j, v] -= factor[j, h, v] * factor[j, h, v]
        for v in range(CHUNK):
            held = factor[j, j, v] <= inverse[v]
            root = np.sqrt(max(factor[j, j, v], 0.0))
            factor[j, j, v] = 0.0 if held else root
            inverse[v] = 0.0 if held else 1 / root
        for i in range(j + 1, len(factor)):
            for h in range(j):
                for v in range(CHUNK):
                    factor[i, j, v] -= factor[i, h, v] * factor[j, h, v]
            for v in range(CHUNK):
                factor[i, j, v] *= inverse[v]


@numba.njit(nogil=True, error_model="numpy")
@no_type_check
def _compare(beta, factor, spread, n_contrasts, value):
    # With L the Cholesky factor and C the contrast's columns, (c'(M'WM)^-1 c)^-1 = L_C L_C'.
    s, n_columns, n_met = n_contrasts, len(factor), len(beta)
    inner, squared = np.empty(CHUNK), np.zeros(CHUNK)
    for i in range(1, s + 1):
        for v in range(CHUNK):
            inner[v] = 0.0
        for j in range(1, i + 1):
            for v in range(CHUNK):
                inner[v] += factor[n_columns - j, n_columns - i, v] * beta[n_met - j, v]
        for v in range(CHUNK):
            squared[v] += inner[v] * inner[v]
    penalty = 2 * (s - 1) / (s * (s + 2))
    for v in range(CHUNK):
        found = inner[v] if s == 1 else squared[v] / (s * (1 + penalty * spread[v]))
        value[v] = found if spread[v] >= 0 else 0.0
