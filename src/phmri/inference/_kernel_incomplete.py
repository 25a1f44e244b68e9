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
# if there is one. All sums are known for the data with zeros where they are missing; from these
# come off the rows that a missing datum is moved to, and those whose baseline is missing.
@numba.njit(nogil=True, error_model="numpy")
@no_type_check
def refit(crossed, model, outcomes, shuffling, n_contrasts, least, out):
    # crossed: products[k, g, j, v] of all columns with shuffled data over the rows of group g,
    # squares[k, g, v] of these data, along[k, g, j, v] of the columns with the baseline, or
    # empty. model: columns[k, j, i], groups[k, i], gram[k, g, i, j]. outcomes: data[i, v],
    # baseline[i, v], and the rows where they are missing, beside_lacking and lacking, each as
    # (starts, rows). shuffling: order, sign. out[0, k, v] receives the statistic, out[1, k, v]
    # Welch's or the residual degrees of freedom, out[2, k, v] how many columns were estimable.
    along, gram = crossed[2], model[2]
    n_groups, n_columns = crossed[0].shape[1:3]
    first = 1 if along.size else 0
    own = np.empty((n_groups, n_columns, n_columns))
    sums = np.empty((n_groups, n_columns + 2))
    total, factor = np.empty((2, n_columns, n_columns))
    for k in range(out.shape[1]):
        m = min(k, len(gram) - 1)
        place = np.argsort(shuffling[0][k])
        for v in range(out.shape[2]):
            for g in range(n_groups):
                own[g, first:, first:] = gram[m, g]
                if first:
                    own[g, :, 0] = along[m, g, :, v]
                sums[g, :n_columns] = crossed[0][k, g, :, v]
                sums[g, n_columns] = crossed[1][k, g, v]
                sums[g, n_columns + 1] = (model[1][m] == g).sum()
            _remove(k, v, place, model, outcomes, shuffling, own, sums)
            total[:] = 0.0
            for g in range(n_groups):
                total += own[g]
            rank = _factorise(total, factor, HELD)
            estimable = True
            for j in range(n_columns - n_contrasts, n_columns):
                estimable = estimable and factor[j, j] > 0
            out[:, k, v] = 0.0
            if estimable:
                out[0, k, v], out[1, k, v] = _compare(own, sums, factor, n_contrasts, rank, least)
                out[2, k, v] = rank


@numba.njit(nogil=True, error_model="numpy")
@no_type_check
def _remove(k, v, place, model, outcomes, shuffling, own, sums):
    # Take the rows off that lack a datum or a baseline.
    columns, groups, _ = model
    data, beside, lacking, beside_lacking = outcomes
    order, sign = shuffling
    m = min(k, len(columns) - 1)
    n_columns = own.shape[1]
    first = n_columns - columns.shape[1]
    x = np.empty(n_columns)
    n_data = lacking[0][v + 1] - lacking[0][v]
    n_beside = beside_lacking[0][v + 1] - beside_lacking[0][v]
    theirs = beside_lacking[1][beside_lacking[0][v] : beside_lacking[0][v + 1]]
    for number in range(n_data + n_beside):
        if number < n_beside:
            i = theirs[number]
        else:
            i = place[lacking[1][lacking[0][v] + number - n_beside]]
            if (theirs == i).any():
                continue
        if first:
            x[0] = beside[i, v]
        x[first:] = columns[m, :, i]
        y = sign[k, i] * data[order[k, i], v]
        g = groups[m, i]
        for a in range(n_columns):
            sums[g, a] -= x[a] * y
            for b in range(a + 1):
                own[g, a, b] -= x[a] * x[b]
        sums[g, n_columns] -= y * y
        sums[g, n_columns + 1] -= 1


@numba.njit(nogil=True, error_model="numpy")
@no_type_check
def _factorise(matrix, factor, least):
    # Cholesky, lower triangle; 0 in columns of which no more than the least is left. Gives the
    # rank.
    rank = 0
    for j in range(len(matrix)):
        left = matrix[j, j]
        for h in range(j):
            left -= factor[j, h] ** 2
        held = left <= least
        factor[j, j] = 0.0 if held else np.sqrt(left)
        rank += not held
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
def _weigh(own, sums, factor, beta, rank, least):
    # Per group: freedom over residual sum of squares; and the freedom, the trace of the
    # residual-forming matrix over its rows, n_g - tr((M'M)^-1 M_g'M_g).
    n_groups, n = len(own), len(beta)
    freedom = sums[:, n + 1].copy()
    weight = np.empty(n_groups)
    column = np.empty(n)
    for g in range(n_groups):
        rss = sums[g, n]
        for i in range(n):
            rss += beta[i] * (beta[i] * own[g, i, i] - 2 * sums[g, i])
            for j in range(i):
                rss += 2 * beta[i] * beta[j] * own[g, i, j]
        for i in range(n if n_groups > 1 else 0):
            for j in range(n):
                column[j] = own[g, max(i, j), min(i, j)]
            _solve(factor, column)
            freedom[g] -= column[i]
        weight[g] = 1 / max(rss, least * sums[g, n], 1e-30)
    if n_groups == 1:
        freedom[0] -= rank
    return weight * freedom, freedom


@numba.njit(nogil=True, error_model="numpy")
@no_type_check
def _compare(own, sums, factor, n_contrasts, rank, least):
    # The statistic and Welch's degrees of freedom; with one group v is t, and its degrees of
    # freedom the residual ones.
    n_groups, n, s = len(own), own.shape[1], n_contrasts
    beta = np.zeros(n)
    for g in range(n_groups):
        for j in range(n):
            beta[j] += sums[g, j]
    _solve(factor, beta)
    weight, freedom = _weigh(own, sums, factor, beta, rank, least)
    if freedom.min() <= LEAST_FREEDOM:
        return 0.0, 0.0
    weighted = np.zeros((n, n))
    for g in range(n_groups):
        weighted += weight[g] * own[g]
    _factorise(weighted, factor, HELD * weight.min())
    value = 0.0
    for i in range(n - s, n):
        y = 0.0
        for j in range(i, n):
            y += factor[j, i] * beta[j]
        value = y if s == 1 else value + y * y / s
    if n_groups == 1:
        return value, freedom[0]
    share = weight * sums[:, n + 1]
    uneven = ((1 - share / share.sum()) ** 2 / freedom).sum()
    return value / (1 + 2 * (s - 1) / (s * (s + 2)) * uneven), s * (s + 2) / (3 * uneven)
