r"""Maps against maps: correlations over places that lie near each other.

Places of a brain map are no independent observations: neighbours resemble each other, and two
smooth maps that have nothing to do with each other correlate by chance far more often than the
textbook p-value of a correlation says. Here chance is a map with the spatial autocorrelation of
the one at hand and otherwise another,

.. math:: x^\pi = \bar x + \sum_k s^\pi_k\, (v_k^\top x)\, v_k, \qquad s^\pi_k = \pm 1,

with :math:`v_k` the eigenvectors of the centred matrix of spatial weights.
"""

from phmri.inference.spatial._associate import MapCorrelations, associate_maps
from phmri.inference.spatial._moran import (
    moran_eigenvectors,
    moran_index,
    moran_surrogates,
    spatial_weights,
)

__all__ = [
    "MapCorrelations",
    "associate_maps",
    "moran_eigenvectors",
    "moran_index",
    "moran_surrogates",
    "spatial_weights",
]
