"""Inner loops of the statistics: what follows the matrix products, and what none can do.

Every loop takes its sums in an order that depends on the shape of the model alone, so that the
same shuffling gives the same bits in whatever tile it comes.
"""

from typing import no_type_check

import numba
import numpy as np

__all__ = ["shuffled_products", "student", "student_beside_baseline"]


# No cache on disk: compiling takes half a second, and numba refuses to import a cached function
# where neither the package's folder nor the user's can be written, as in a read-only container.
@numba.njit(nogil=True, error_model="numpy")
@no_type_check
def shuffled_products(left, right, order, sign, members, out):
    # out[k, g, 0, v] = sum of left[i, v] * sign[k, i] * right[order[k, i], v] over the rows i of
    # group g, where members[k, i] == g. Four rows at a time.
    n_outcomes = left.shape[1]
    for k in range(order.shape[0]):
        groups = members[min(k, len(members) - 1)]
        for g in range(out.shape[1]):
            row = out[k, g, 0]
            row[:] = 0
            rows = np.flatnonzero(groups == g)
            whole = rows.size - rows.size % 4
            for n in range(0, whole, 4):
                i, j, h, m = rows[n], rows[n + 1], rows[n + 2], rows[n + 3]
                a0, a1, a2, a3 = left[i], left[j], left[h], left[m]
                b0, b1 = right[order[k, i]], right[order[k, j]]
                b2, b3 = right[order[k, h]], right[order[k, m]]
                s0, s1, s2, s3 = sign[k, i], sign[k, j], sign[k, h], sign[k, m]
                for v in range(n_outcomes):
                    row[v] += (
                        s0 * a0[v] * b0[v]
                        + s1 * a1[v] * b1[v]
                        + s2 * a2[v] * b2[v]
                        + s3 * a3[v] * b3[v]
                    )
            for n in range(whole, rows.size):
                i = rows[n]
                a, b, s = left[i], right[order[k, i]], sign[k, i]
                for v in range(n_outcomes):
                    row[v] += s * a[v] * b[v]


@numba.njit(nogil=True, error_model="numpy")
@no_type_check
def student(products, df, n_contrasts, least, out, start):
    # t or F of data of length 1 from products[k, j, v] with orthonormal directions, those of the
    # contrast last; df[k] residual degrees of freedom; least: smallest residual sum of squares;
    # out[k, start + v].
    n_directions, n_outcomes = products.shape[1:]
    n_nuisance = n_directions - n_contrasts
    error = np.empty(n_outcomes, out.dtype)
    for k in range(out.shape[0]):
        row = out[k, start : start + n_outcomes]
        error[:] = 1
        for j in range(n_nuisance):
            along = products[k, j]
            for v in range(n_outcomes):
                error[v] -= along[v] * along[v]
        if n_contrasts == 1:
            tested = products[k, n_nuisance]
            for v in range(n_outcomes):
                rest = max(error[v] - tested[v] * tested[v], least)
                row[v] = tested[v] * np.sqrt(df[k] / rest)
            continue
        share = df[k] / out.dtype.type(n_contrasts)
        row[:] = 0
        for j in range(n_nuisance, n_directions):
            along = products[k, j]
            for v in range(n_outcomes):
                row[v] += along[v] * along[v]
        for v in range(n_outcomes):
            row[v] *= share / max(error[v] - row[v], least)


@numba.njit(nogil=True, error_model="numpy")
@no_type_check
def student_beside_baseline(products, onto, along, df, n_contrasts, least, out, start):
    # As `student`, with one more regressor u of length 1 per outcome: onto[k, 0, 0, v] is its
    # product with the data, along[k, j, v] with the directions. Free of u, the data have the
    # products w = products - along * onto with the directions, and these the Gram matrix I - a a'
    # with a = along. So, by Sherman and Morrison, the coefficients are
    # b = w + a (a'w) / (1 - a'a), and the inverse covariance of those of the contrast is
    # I - a a' / (1 - a'a + a'a of these).
    n_directions, n_outcomes = products.shape[1:]
    n_nuisance = n_directions - n_contrasts
    one, zero = out.dtype.type(1), out.dtype.type(0)
    ww, aw, free, ab, bb, ac = np.empty((6, n_outcomes), out.dtype)
    for k in range(out.shape[0]):
        shared = along[min(k, len(along) - 1)]
        row, beside = out[k, start : start + n_outcomes], onto[k, 0, 0]
        share = df[k] / out.dtype.type(n_contrasts)
        for v in range(n_outcomes):
            ww[v] = beside[v] * beside[v]
            free[v] = one
            aw[v] = ab[v] = bb[v] = ac[v] = zero
        for j in range(n_directions):
            product, a = products[k, j], shared[j]
            for v in range(n_outcomes):
                w = product[v] - a[v] * beside[v]
                ww[v] += w * w
                aw[v] += a[v] * w
                free[v] -= a[v] * a[v]
        for v in range(n_outcomes):
            aw[v] /= max(free[v], least)
        for j in range(n_nuisance, n_directions):
            product, a = products[k, j], shared[j]
            for v in range(n_outcomes):
                b = product[v] - a[v] * beside[v] + a[v] * aw[v]
                bb[v] += b * b
                ab[v] += a[v] * b
                ac[v] += a[v] * a[v]
                row[v] = b
        for v in range(n_outcomes):
            rest = max(one - ww[v] - aw[v] * aw[v] * free[v], least)
            explained = bb[v] - ab[v] * ab[v] / max(free[v] + ac[v], least)
            value = max(explained, zero) * share / rest
            if n_contrasts == 1:
                value = np.copysign(np.sqrt(value), row[v])
            row[v] = value if free[v] > least else zero
