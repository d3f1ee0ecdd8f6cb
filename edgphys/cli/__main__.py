# SPDX-License-Identifier: MIT
"""``python -m edgphys.cli`` is the command ``edgphys``."""

from edgphys.cli.app import run

run()
