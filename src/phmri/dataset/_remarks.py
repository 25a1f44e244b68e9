"""What of a protocol may be right and may be a slip, so that nothing stops at it."""

from phmri.exceptions import Problem
from phmri.protocol import Parallel, Protocol

__all__ = ["swapped_blockades"]


def swapped_blockades(protocol: Protocol) -> tuple[Problem, ...]:
    """Find questions on blockade whose contrast seems to name the pretreated drug first.

    Parameters
    ----------
    protocol : Protocol
        The trial as declared.

    Returns
    -------
    tuple of Problem
        One for each question whose first treatment gives all drugs of the second, and more.
    """
    arms = protocol.design.arms if isinstance(protocol.design, Parallel) else {}
    remarks = []
    for name, question in protocol.questions.items():
        if question.blockade is None:
            continue
        treatments = (arms[side].treatment if side in arms else side for side in question.contrast)
        first, second = (
            {dose.drug for dose in protocol.treatments[treatment].doses}
            for treatment in treatments
        )
        if second and second < first:
            beside = ", ".join(sorted(first - second))
            remarks.append(
                Problem(
                    what=f"a blockade's contrast is [drug, pretreated drug], and its first side "
                    f"gives {beside} beside all drugs of its second",
                    field=f"questions.{name}.contrast",
                    found=", ".join(question.contrast),
                    expected=", ".join(reversed(question.contrast)),
                )
            )
    return tuple(remarks)
