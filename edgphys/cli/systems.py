# SPDX-License-Identifier: MIT
"""``edgphys systems``: what ships."""

from __future__ import annotations

__all__ = ["systems"]


def systems() -> None:
    """List the systems that ship, with their parameters and what is exactly known."""
    from edgphys.cli.system_arguments import COUPLINGS
    from edgphys.report.system_list import print_systems

    print_systems(COUPLINGS)
