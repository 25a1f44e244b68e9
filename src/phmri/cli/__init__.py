"""The command ``phmri``: parse, call, show progress, exit code. No science."""

from phmri.cli._main import main

__all__ = ["main"]
