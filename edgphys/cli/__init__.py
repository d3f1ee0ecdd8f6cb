# SPDX-License-Identifier: MIT
"""Command line: ``edgphys scan | sample | temper | free-energy | show | plot | systems``."""

from edgphys.cli.app import app, main, run

__all__ = ["app", "main", "run"]
