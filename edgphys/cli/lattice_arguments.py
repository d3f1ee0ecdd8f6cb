# SPDX-License-Identifier: MIT
"""The lattice of a command: which, how large, periodic or open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from edgphys.cli.values import parse_extent
from edgphys.errors import ArgumentValueError

if TYPE_CHECKING:
    from lattices import Lattice

__all__ = ["LatticeArguments"]


@dataclass(frozen=True)
class LatticeArguments:
    """The words for a lattice; None, or False for double bonds, where not given: some systems have none."""

    lattice: Annotated[
        str | None, typer.Option(help="Name of a lattice, or path of a .toml file; square by default.")
    ] = None
    extent: Annotated[
        str | None, typer.Option(help="Unit cells along each axis: 16, or 16x8; 8 by default.")
    ] = None
    pbc: Annotated[
        bool | None, typer.Option("--pbc/--open", help="Boundary along all axes; periodic by default.")
    ] = None
    allow_double_bonds: Annotated[
        bool, typer.Option("--allow-double-bonds", help="Accept extent 2 along periodic axes.")
    ] = False

    @property
    def typed(self) -> str:
        """The options that were given."""
        words = [f"--lattice {self.lattice}"] if self.lattice is not None else []
        words += [f"--extent {self.extent}"] if self.extent is not None else []
        words += ["--pbc" if self.pbc else "--open"] if self.pbc is not None else []
        return " ".join([*words, *(["--allow-double-bonds"] if self.allow_double_bonds else [])])

    def build(self) -> Lattice:
        """The lattice: square, 8 cells along each axis and periodic unless told."""
        import lattices

        name = "square" if self.lattice is None else self.lattice
        cells = parse_extent("8" if self.extent is None else self.extent, _n_axes_of(name))
        try:
            return lattices.build(
                name, cells, self.pbc is not False, allow_double_bonds=self.allow_double_bonds
            )
        except ValueError as error:  # lattices know of no options
            about = next((one for one in ("lattice", "extent", "pbc") if str(error).startswith(one)), None)
            raise ArgumentValueError(str(error), about) from error


def _n_axes_of(lattice: str) -> int | None:
    """Axes of a lattice by name or path; None where the extent itself says it, or nothing is known."""
    from importlib import resources
    from pathlib import Path

    from lattices import available, unit_cell

    if lattice.endswith(".toml"):
        return unit_cell.read(lattice).n_axes
    if lattice == "hypercubic" or lattice not in available():
        return None
    return unit_cell.read(Path(str(resources.files("lattices") / "library" / f"{lattice}.toml"))).n_axes
