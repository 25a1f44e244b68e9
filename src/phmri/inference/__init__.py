"""From estimates to claims."""

from phmri.inference._records import Claim, Peak, PermutationResult

__all__ = ["Claim", "Peak", "PermutationResult"]
