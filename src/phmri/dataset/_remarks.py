"""What of a protocol may be right and may be a slip, so that nothing stops at it."""

from phmri.exceptions import Problem
from phmri.protocol import Parallel, Protocol

__all__ = ["idle_limits", "swapped_blockades"]


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


def idle_limits(protocol: Protocol) -> tuple[Problem, ...]:
    """Find a limit of censored volumes where nothing is censored.

    Parameters
    ----------
    protocol : Protocol
        The trial as declared.

    Returns
    -------
    tuple of Problem
        At most one.
    """
    limit = protocol.exclusions.max_censored_fraction
    censors = (item.censor for item in protocol.denoising.values())
    if limit is None or any(item.fd_mm or item.std_dvars for item in censors):
        return ()
    return (
        Problem(
            what="no denoising censors volumes: the limit will leave no run out",
            field="exclusions.max_censored_fraction",
            found=f"{limit:g}",
            expected="censor (fd_mm, std_dvars) in a denoising, or no such limit",
        ),
    )
