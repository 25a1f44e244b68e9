"""What cannot be computed of a run, told by its design alone: before any computing starts.

Protocol, header, events and images of networks are looked at; neither confounds nor data are read.
"""

__all__ = ["Foresight", "foresee"]
