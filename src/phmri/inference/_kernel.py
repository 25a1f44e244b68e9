"""The one inner loop that no matrix product can do: shuffled residuals on unit baselines."""

from typing import no_type_check

import numba

__all__ = ["shuffled_products"]


# No cache on disk: compiling takes half a second, and numba refuses to import a cached function
# where neither the package's folder nor the user's can be written, as in a read-only container.
@numba.njit(nogil=True)
@no_type_check
def shuffled_products(left, right, order, out):
    # out[k, v] = sum_i left[i, v] * right[order[k, i], v], four units at a time. The order of
    # the sum is the same for every voxel, whatever the block.
    n_units, n_voxels = left.shape
    whole = n_units - n_units % 4
    for k in range(order.shape[0]):
        row = out[k]
        for v in range(n_voxels):
            row[v] = 0.0
        for i in range(0, whole, 4):
            a0, a1, a2, a3 = left[i], left[i + 1], left[i + 2], left[i + 3]
            b0, b1 = right[order[k, i]], right[order[k, i + 1]]
            b2, b3 = right[order[k, i + 2]], right[order[k, i + 3]]
            for v in range(n_voxels):
                row[v] += a0[v] * b0[v] + a1[v] * b1[v] + a2[v] * b2[v] + a3[v] * b3[v]
        for i in range(whole, n_units):
            a, b = left[i], right[order[k, i]]
            for v in range(n_voxels):
                row[v] += a[v] * b[v]
