# SPDX-License-Identifier: MIT
"""Options that commands share: one meaning and one help text for each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Convention",
    "Coupling",
    "DoubleBonds",
    "Extent",
    "LatticeName",
    "Out",
    "Overwrite",
    "Parameters",
    "Periodic",
    "Quiet",
    "Seed",
    "SystemName",
    "Traceback",
]

_COUPLINGS = "Couplings"

SystemName = Annotated[str, typer.Argument(help="Name of a system; edgphys systems lists them.")]
# None by default: systems without a lattice refuse what is given.
LatticeName = Annotated[
    str | None, typer.Option(help="Name of a lattice, or path of a .toml file; square by default.")
]
Extent = Annotated[str | None, typer.Option(help="Unit cells along each axis: 16, or 16x8; 8 by default.")]
Periodic = Annotated[
    bool | None, typer.Option("--pbc/--open", help="Boundary along all axes; periodic by default.")
]
DoubleBonds = Annotated[
    bool, typer.Option("--allow-double-bonds", help="Accept extent 2 along periodic axes.")
]
Coupling = Annotated[str | None, typer.Option(metavar="VALUES", rich_help_panel=_COUPLINGS)]
Convention = Annotated[
    str | None, typer.Option(help="flow or standard, with --m2.", rich_help_panel=_COUPLINGS)
]
Parameters = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter",
        "-p",
        metavar="NAME=VALUES",
        help="Any other parameter of the system; repeat.",
        rich_help_panel=_COUPLINGS,
    ),
]
Out = Annotated[Path, typer.Option(help="netCDF file to write.")]
Seed = Annotated[int, typer.Option(help="Seed of all random numbers.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar.")]
Traceback = Annotated[bool, typer.Option("--traceback", help="Show where an error came from.")]
