"""Inner loop of outcomes with missing rows: the model anew for every outcome and shuffling."""

from typing import no_type_check

import numba
import numpy as np

__all__ = ["refit"]

HELD = 1e-10
"""Squared length left of a column, of 1 without missing rows, when those before it hold it."""
LEAST_FREEDOM = 1e-9
"""Residual degrees of freedom of a group below which it has none."""


# Columns of the contrast come last; a regressor per outcome (a voxelwise baseline) comes first,
# if there is one. All sums are known for data with zeros where they are missing; from these come
# off the rows that a missing datum is moved to, and those whose baseline is missing.
@numba.njit(nogil=True, error_model="numpy")
@no_type_check
def refit(crossed, model, outcomes, shuffling, n_contrasts, least, out):
    # crossed: over the rows of group g, products[k, g, j, v] of all columns with shuffled data,
    # squares[k, g, v] of these data, along[k, g, j, v] of the baseline with itself (j = 0) and
    # all columns, or empty. model: columns[k, j, i], groups[k, i], gram[k, g, i, j], size[k, g].
    # outcomes: data[i, v], baseline[i, v], and which rows of outcome v lack data or a baseline:
    # rows[v, n], rows_beside[v, n], ended by -1. shuffling: place[k, i], where datum i goes, and
    # order, sign. out[0, k, v] receives the statistic, out[1, k, v] Welch's or the residual
    # degrees of freedom, out[2, k, v] the number of columns that can be estimated.
    n_groups, n = crossed[0].shape[1:3]
    own = np.empty((n_groups, n, n))
    sums = np.empty((n_groups, n + 2))
    factor, weighted = np.empty((2, n, n))
    beta, x = np.empty((2, n))
    weight, freedom = np.empty((2, n_groups))
    for k in range(out.shape[1]):
        for v in range(out.shape[2]):
            _gather(k, v, crossed, model, own, sums)
            _remove(k, v, model, outcomes, shuffling, (own, sums, x))
            rank = _fit(own, sums, weighted, factor, beta)
            estimable = True
            for j in range(n - n_contrasts, n):
                estimable = estimable and factor[j, j] > 0
            out[0, k, v], out[1, k, v], out[2, k, v] = 0.0, 0.0, 0.0
            if estimable:
                _weigh((own, sums, x), factor, beta, rank, least, weight, freedom)
                value, df = _compare(
                    own, sums, (weighted, factor, beta, weight, freedom), n_contrasts
                )
                out[0, k, v], out[1, k, v], out[2, k, v] = value, df, rank


@numba.njit(nogil=True, error_model="numpy")
@no_type_check
def _gather(k, v, crossed, model, own, sums):
    # The sums of one outcome as if nothing were missing: Gram matrix (lower triangle), products
    # with the data, the data's sum of squares, and the number of rows.
    products, squares, along = crossed
    gram, size = model[2], model[3]
    m = min(k, len(gram) - 1)
    first = 1 if along.size else 0
    n_groups, n = products.shape[1:3]
    for g in range(n_groups):
        for i in range(n):
            sums[g, i] = products[k, g, i, v]
            if first:
                own[g, i, 0] = along[m, g, i, v]
            for j in range(first, i + 1):
                own[g, i, j] = gram[m, g, i - first, j - first]
        sums[g, n] = squares[k, g, v]
        sums[g, n + 1] = size[m, g]


@numba.njit(nogil=True, error_model="numpy")
@no_type_check
def _remove(k, v, model, outcomes, shuffling, sums_of):
    # Take the rows off that lack a datum or a baseline, each once.
    columns, groups = model[0], model[1]
    data, baseline, rows, rows_beside = outcomes
    place, order, sign = shuffling
    own, sums, x = sums_of
    m = min(k, len(columns) - 1)
    n = len(x)
    first = n - columns.shape[1]
    n_beside = 0
    while rows_beside[v, n_beside] >= 0:
        n_beside += 1
    number = 0
    while number < n_beside or rows[v, number - n_beside] >= 0:
        i = rows_beside[v, number] if number < n_beside else place[k, rows[v, number - n_beside]]
        fresh = True
        for other in range(n_beside if number >= n_beside else 0):
            fresh = fresh and rows_beside[v, other] != i
        number += 1
        if not fresh:
            continue
        for a in range(n):
            x[a] = columns[m, a - first, i] if a >= first else baseline[i, v]
        y = sign[k, i] * data[order[k, i], v]
        g = groups[m, i]
        for a in range(n):
            sums[g, a] -= x[a] * y
            for b in range(a + 1):
                own[g, a, b] -= x[a] * x[b]
        sums[g, n] -= y * y
        sums[g, n + 1] -= 1


@numba.njit(nogil=True, error_model="numpy")
@no_type_check
def _fit(own, sums, total, factor, beta):
    # Ordinary least squares; gives the rank.
    n_groups, n = len(own), len(beta)
    for i in range(n):
        beta[i] = 0.0
        for g in range(n_groups):
            beta[i] += sums[g, i]
        for j in range(i + 1):
            total[i, j] = 0.0
            for g in range(n_groups):
                total[i, j] += own[g, i, j]
    rank = _factorise(total, factor, HELD)
    _solve(factor, beta)
    return rank


@numba.njit(nogil=True, error_model="numpy")
@no_type_check
def _factorise(matrix, factor, least):
    # Cholesky, lower triangle; 0 in columns of which no more than the least is left. Gives the
    # rank.
    rank = 0
    for j in range(len(matrix)):
        left = matrix[j, j]
        for h in range(j):
            left -= factor[j, h] * factor[j, h]
        held = left <= least
        factor[j, j] = 0.0 if held else np.sqrt(left)
        rank += 0 if held else 1
        for i in range(j + 1, len(matrix)):
            entry = matrix[i, j]
            for h in range(j):
                entry -= factor[i, h] * factor[j, h]
            factor[i, j] = 0.0 if held else entry / factor[j, j]
    return rank


@numba.njit(nogil=True, error_model="numpy")
@no_type_check
def _solve(factor, vector):
    # L'^-1 L^-1 vector, in place.
    n = len(factor)
    for i in range(n):
        for j in range(i):
            vector[i] -= factor[i, j] * vector[j]
        vector[i] = vector[i] / factor[i, i] if factor[i, i] > 0 else 0.0
    for i in range(n - 1, -1, -1):
        for j in range(i + 1, n):
            vector[i] -= factor[j, i] * vector[j]
        vector[i] = vector[i] / factor[i, i] if factor[i, i] > 0 else 0.0


@numba.njit(nogil=True, error_model="numpy")
@no_type_check
def _weigh(sums_of, factor, beta, rank, least, weight, freedom):
    # Per group: freedom, the trace of the residual-forming matrix over its rows
    # n_g - tr((M'M)^-1 M_g'M_g), and the weight, freedom over residual sum of squares.
    own, sums, column = sums_of
    n_groups, n = len(own), len(beta)
    for g in range(n_groups):
        freedom[g] = sums[g, n + 1] - (rank if n_groups == 1 else 0)
        rss = sums[g, n]
        for i in range(n):
            rss += beta[i] * (beta[i] * own[g, i, i] - 2 * sums[g, i])
            for j in range(i):
                rss += 2 * beta[i] * beta[j] * own[g, i, j]
        for i in range(n if n_groups > 1 else 0):
            for j in range(n):
                column[j] = own[g, i, j] if j <= i else own[g, j, i]
            _solve(factor, column)
            freedom[g] -= column[i]
        weight[g] = freedom[g] / max(rss, least * sums[g, n], 1e-30)


@numba.njit(nogil=True, error_model="numpy")
@no_type_check
def _compare(own, sums, fitted, n_contrasts):
    # The statistic and Welch's degrees of freedom; with one group v is t, and its degrees of
    # freedom the residual ones. With L the Cholesky factor of M'WM and C the contrast's columns,
    # (c'(M'WM)^-1 c)^-1 = L_C L_C'.
    weighted, factor, beta, weight, freedom = fitted
    n_groups, n, s = len(own), len(beta), n_contrasts
    if freedom.min() <= LEAST_FREEDOM:
        return 0.0, 0.0
    total, uneven, scale = 0.0, 0.0, np.sqrt(weight[0])
    for g in range(n_groups):
        total += weight[g] * sums[g, n + 1]
    for g in range(n_groups):
        part = 1 - weight[g] * sums[g, n + 1] / total
        uneven += part * part / freedom[g]
    if n_groups > 1:
        scale = 1.0
        for i in range(n):
            for j in range(i + 1):
                weighted[i, j] = 0.0
                for g in range(n_groups):
                    weighted[i, j] += weight[g] * own[g, i, j]
        _factorise(weighted, factor, HELD * weight.min())
    value = 0.0
    for i in range(n - s, n):
        y = 0.0
        for j in range(i, n):
            y += scale * factor[j, i] * beta[j]
        value = y if s == 1 else value + y * y / s
    welch = freedom[0] if n_groups == 1 else s * (s + 2) / (3 * uneven)
    return value / (1 + 2 * (s - 1) / (s * (s + 2)) * uneven), welch
