# SPDX-License-Identifier: MIT
"""Scan of the 8 x 8 Ising torus by EDG, Wolff and Kaufman's exact result: the picture of the README.

Question, run time and conclusion are in README.md. Output: quickstart.nc and quickstart.png in this folder.
"""

from __future__ import annotations

from pathlib import Path

import edgphys as ep
import lattices
from edgphys.report.text import print_scan

FOLDER = Path(__file__).parent
TEMPERATURES = (1.8, 2.0, 2.27, 2.6, 3.0, 3.4)


def main() -> None:
    lattice = lattices.build("square", (8, 8))
    table = ep.scan(
        lambda temperature: ep.Ising(lattice, temperature=temperature),
        methods=["edg", "wolff", "exact"],
        seed=0,
        edg={"decoder": "field", "n_views": 1},
        out=FOLDER / "quickstart.nc",
        overwrite=True,
        temperature=TEMPERATURES,
    )
    print_scan(table)
    ep.plot(table, path=FOLDER / "quickstart.png", overwrite=True)


if __name__ == "__main__":
    main()
