# SPDX-License-Identifier: MIT
"""``python -m edgphys``: the command line."""

from edgphys.cli import run

if __name__ == "__main__":
    run()
