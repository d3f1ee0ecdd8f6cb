# SPDX-License-Identifier: MIT
"""The lattice of a command: which, how large, periodic or open."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated

import typer

from edgphys.cli.values import parse_extent, parse_extents
from edgphys.errors import ArgumentValueError

if TYPE_CHECKING:
    from lattices import Lattice

__all__ = ["LatticeArguments", "with_axes"]

_AXES = re.compile("[xyzt](,?[xyzt])*")


@dataclass(frozen=True)
class LatticeArguments:
    """The words for a lattice; None, or False for double bonds, where not given: some systems have none."""

    lattice: Annotated[
        str | None,
        typer.Option(
            help="Name of a lattice, or path of a .toml file; square by default, of a quantum system chain."
        ),
    ] = None
    extent: Annotated[
        str | None,
        typer.Option(help="Unit cells along each axis: 16, or 16x8; 8 by default. A scan takes 8,16,32 too."),
    ] = None
    pbc: Annotated[
        bool | None, typer.Option("--pbc/--open", help="Boundary along all axes; periodic by default.")
    ] = None
    periodic: Annotated[
        str | None,
        typer.Option(
            metavar="AXES", help="Periodic along these axes only, a cylinder: x, y, xy, ...; also --pbc x."
        ),
    ] = None
    allow_double_bonds: Annotated[
        bool, typer.Option("--allow-double-bonds", help="Accept sites joined twice around a short axis.")
    ] = False

    def or_else(self, lattice: str, extent: str) -> LatticeArguments:
        """The same, with this lattice, and extent, where none was given."""
        if self.lattice is not None:
            return self
        return replace(self, lattice=lattice, extent=extent if self.extent is None else self.extent)

    @property
    def typed(self) -> str:
        """The options that were given."""
        words = [f"--lattice {self.lattice}"] if self.lattice is not None else []
        words += [f"--extent {self.extent}"] if self.extent is not None else []
        words += ["--pbc" if self.pbc else "--open"] if self.pbc is not None else []
        words += [f"--periodic {self.periodic}"] if self.periodic is not None else []
        return " ".join([*words, *(["--allow-double-bonds"] if self.allow_double_bonds else [])])

    def _boundary(self, n_axes: int) -> bool | tuple[bool, ...]:
        """What `lattices.build` takes: for all axes, or for each."""
        if self.periodic is None:
            return self.pbc is not False
        if self.pbc is not None:
            raise ArgumentValueError(
                f"periodic must be left out with {'--pbc' if self.pbc else '--open'}, got {self.periodic!r}",
                "periodic",
            )
        axes = "xyzt"[:n_axes]
        named = self.periodic.replace(",", "")
        if not named or set(named) - set(axes) or len(set(named)) < len(named):
            raise ArgumentValueError(
                f"periodic must name axes among {', '.join(axes)}, each once, got {self.periodic!r}",
                "periodic",
            )
        return tuple(axis in named for axis in axes)

    @property
    def has_several(self) -> bool:
        """Whether there is a list or a range of sizes."""
        return re.search("[,:]", self.extent or "") is not None

    @property
    def name(self) -> str:
        return "square" if self.lattice is None else self.lattice

    def sizes(self) -> list[int | str]:
        """Labels of the sizes that are given."""
        return parse_extents("8" if self.extent is None else self.extent, _n_axes_of(self.name))

    def build(self) -> Lattice:
        """The lattice: square, 8 cells along each axis and periodic unless told."""
        import lattices

        name = self.name
        if self.has_several:
            raise ArgumentValueError(
                f"extent must be one size here, got {self.extent!r}; a scan takes several", "extent"
            )
        cells = parse_extent("8" if self.extent is None else self.extent, _n_axes_of(name))
        boundary = self._boundary(_n_axes_of(name) or len(cells))
        try:
            return lattices.build(name, cells, boundary, allow_double_bonds=self.allow_double_bonds)
        except ValueError as error:  # lattices know of no options
            about = next((one for one in ("lattice", "extent", "pbc") if str(error).startswith(one)), None)
            raise ArgumentValueError(str(error), about) from error


def with_axes(words: list[str]) -> list[str]:
    """``--pbc x`` as ``--periodic x``: an option with a value beside the flag of the same name.

    Examples
    --------
    >>> with_axes(["ising", "--pbc", "x", "--pbc=xy", "--pbc", "--seed", "3"])
    ['ising', '--periodic', 'x', '--periodic=xy', '--pbc', '--seed', '3']
    """
    words = [re.sub("^--pbc=", "--periodic=", word) for word in words]
    named = {
        k for k, (one, next_one) in enumerate(pairwise(words)) if one == "--pbc" and _AXES.fullmatch(next_one)
    }
    return ["--periodic" if k in named else word for k, word in enumerate(words)]


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
