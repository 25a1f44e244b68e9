"""The trial as its authors declare it."""

from phmri.protocol._models import *  # noqa: F403 - names are listed in _models.__all__
from phmri.protocol._models import __all__ as __all__
