"""Named denoising strategies: which columns of a confound table are projected out.

Names of columns are those of fMRIPrep 1.2 and later; older spellings are found by
`phmri.signals._columns`. ``R`` stands for the six rigid-body parameters, ``R'`` for their
backward differences, ``R^2`` for squares.
"""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Strategy", "find_strategy", "list_strategies"]

_MOTION = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
_TISSUE = ("white_matter", "csf")
_GLOBAL = ("global_signal",)

_FRISTON = "10.1002/mrm.1910350312"
_SATTERTHWAITE = "10.1016/j.neuroimage.2012.08.052"
_CIRIC = "10.1016/j.neuroimage.2017.03.020"
_BEHZADI = "10.1016/j.neuroimage.2007.04.042"
_MUSCHELLI = "10.1016/j.neuroimage.2014.03.028"
_PRUIM = "10.1016/j.neuroimage.2015.02.064"


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """What a named strategy takes out of every series.

    Parameters
    ----------
    name : str
        As written in the protocol.
    base : tuple of str
        Columns used as they are.
    derivatives : tuple of str
        Columns whose backward difference is used too.
    squares : tuple of str
        Columns whose square is used too; with a derivative, also the square of that.
    components : {"", "acompcor", "aroma"}
        Further columns that have no fixed number.
    sentence : str
        For the methods text.
    dois : tuple of str
        What to cite.
    """

    name: str
    base: tuple[str, ...]
    derivatives: tuple[str, ...] = ()
    squares: tuple[str, ...] = ()
    components: Literal["", "acompcor", "aroma"] = ""
    sentence: str
    dois: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """List the columns of fixed name, in a fixed order.

        Returns
        -------
        tuple of str
            Without components, whose number depends on the run.
        """
        return (
            self.base
            + tuple(f"{name}_derivative1" for name in self.derivatives)
            + tuple(f"{name}_power2" for name in self.squares)
            + tuple(f"{n}_derivative1_power2" for n in self.squares if n in self.derivatives)
        )


_STRATEGIES = (
    Strategy(name="none", base=(), sentence="No confound column was removed"),
    Strategy(
        name="6motion",
        base=_MOTION,
        sentence="The six rigid-body motion parameters were removed",
        dois=(_FRISTON,),
    ),
    Strategy(
        name="24motion",
        base=_MOTION,
        derivatives=_MOTION,
        squares=_MOTION,
        sentence="Twenty-four motion regressors were removed: six rigid-body parameters, their "
        "backward differences, and the squares of both",
        dois=(_FRISTON, _SATTERTHWAITE),
    ),
    Strategy(
        name="6motion_wmcsf",
        base=_MOTION + _TISSUE,
        sentence="The six rigid-body motion parameters and the mean signals of white matter and "
        "cerebrospinal fluid were removed",
        dois=(_CIRIC,),
    ),
    Strategy(
        name="24motion_wmcsf",
        base=_MOTION + _TISSUE,
        derivatives=_MOTION,
        squares=_MOTION,
        sentence="Twenty-four motion regressors (six parameters, their backward differences, the "
        "squares of both) and the mean signals of white matter and cerebrospinal fluid were "
        "removed",
        dois=(_SATTERTHWAITE, _CIRIC),
    ),
    Strategy(
        name="24motion_wmcsf_gsr",
        base=_MOTION + _TISSUE + _GLOBAL,
        derivatives=_MOTION,
        squares=_MOTION,
        sentence="Twenty-four motion regressors (six parameters, their backward differences, the "
        "squares of both), the mean signals of white matter and cerebrospinal fluid, and the "
        "global signal were removed",
        dois=(_SATTERTHWAITE, _CIRIC),
    ),
    Strategy(
        name="36p",
        base=_MOTION + _TISSUE + _GLOBAL,
        derivatives=_MOTION + _TISSUE + _GLOBAL,
        squares=_MOTION + _TISSUE + _GLOBAL,
        sentence="Thirty-six regressors were removed: six motion parameters, the mean signals of "
        "white matter, cerebrospinal fluid and whole brain, the backward differences of these "
        "nine, and the squares of all eighteen",
        dois=(_SATTERTHWAITE, _CIRIC),
    ),
    Strategy(
        name="acompcor",
        base=_MOTION,
        derivatives=_MOTION,
        components="acompcor",
        sentence="Principal components of white matter and cerebrospinal fluid (aCompCor), the "
        "six motion parameters and their backward differences were removed",
        dois=(_BEHZADI, _MUSCHELLI, _CIRIC),
    ),
    Strategy(
        name="acompcor_gsr",
        base=_MOTION + _GLOBAL,
        derivatives=_MOTION,
        components="acompcor",
        sentence="Principal components of white matter and cerebrospinal fluid (aCompCor), the "
        "six motion parameters, their backward differences and the global signal were removed",
        dois=(_BEHZADI, _MUSCHELLI, _CIRIC),
    ),
    Strategy(
        name="aroma",
        base=_TISSUE,
        components="aroma",
        sentence="All components that ICA-AROMA classed as motion (aggressive variant) and the "
        "mean signals of white matter and cerebrospinal fluid were removed",
        dois=(_PRUIM, _CIRIC),
    ),
    Strategy(
        name="aroma_gsr",
        base=_TISSUE + _GLOBAL,
        components="aroma",
        sentence="All components that ICA-AROMA classed as motion (aggressive variant), the mean "
        "signals of white matter and cerebrospinal fluid and the global signal were removed",
        dois=(_PRUIM, _CIRIC),
    ),
)


def list_strategies() -> tuple[Strategy, ...]:
    """List every denoising strategy that a protocol may name.

    Returns
    -------
    tuple of Strategy
        In the order of the protocol's schema.

    Examples
    --------
    >>> [len(s.columns) for s in list_strategies() if s.name in {"24motion", "36p"}]
    [24, 36]
    """
    return _STRATEGIES


def find_strategy(name: str) -> Strategy:
    """Give the strategy of that name.

    Parameters
    ----------
    name : str
        One of the protocol's literals.

    Returns
    -------
    Strategy
        The one of that name.
    """
    return {strategy.name: strategy for strategy in _STRATEGIES}[name]
