# SPDX-License-Identifier: MIT
"""``edgphys structure-factor``: S(k) of kept configurations of a lattice at chosen wave vectors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from edgphys.cli.run_arguments import Overwrite, Traceback
from edgphys.cli.values import parse_wave

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["structure_factor"]

_MISFIT = 1e-9  # in wave lengths around the box


def structure_factor(
    file: Annotated[
        Path, typer.Argument(help="Draws with configurations: edgphys sample SYSTEM ... --keep --out FILE.")
    ],
    *,
    k: Annotated[
        list[str],
        typer.Option(
            help="Wave vector in reciprocal-lattice units, k = h_1 b_1 + h_2 b_2 + ... with a_i.b_j = 2 pi "
            "delta_ij: 1/2,1/2 (or, by the phases from cell to cell, pi,pi) is the staggered order of the "
            "square lattice, 1/3,2/3 the three-sublattice order of the triangular one, 1/16,0 the longest "
            "wave in 16 cells; repeat."
        ),
    ],
    connected: Annotated[bool, typer.Option("--connected", help="Of s - <s> in place of s.")] = False,
    out: Annotated[Path | None, typer.Option(help="netCDF file to write, if any.")] = None,
    overwrite: Overwrite = False,
    traceback: Traceback = False,
) -> None:
    """S(k) = <|sum of s exp(i k.r)|^2> / n_sites with errors, from kept configurations on any lattice."""
    from edgphys._files import check_target

    waves = [parse_wave(text, "--k") for text in k]
    for text, wave in zip(k, waves, strict=True):
        if len(wave) != len(waves[0]):
            raise ValueError(f"--k must have as many components each time, got {k[0]!r} and {text!r}")
    if out is not None:
        check_target(out, "out", overwrite)
        if out.suffix != ".nc":
            raise ValueError(f"--out must end in .nc, got {str(out)!r}")
    from edgphys import dataset
    from edgphys import structure_factor as compute
    from edgphys.dataset.files import write_or_keep
    from edgphys.report.text import print_dataset

    table = compute(dataset.read(file), waves, units="reciprocal", connected=connected)
    if out is not None:
        write_or_keep(table, out, overwrite)
    for n, (text, wave) in enumerate(zip(k, waves, strict=True)):
        print(f"wave {n}: k = {text} in reciprocal-lattice units{_seam(table, wave)}")
    print_dataset(table)
    if out is not None:
        print(f"wrote {out}")


def _seam(table: xr.Dataset, wave: tuple[float, ...]) -> str:
    """Where a wave does not close around a periodic axis."""
    turns = [h * length for h, length in zip(wave, table.attrs["extent"], strict=True)]
    open_ended = [
        f"axis {axis} holds {turn:.6g} waves"
        for axis, (turn, periodic) in enumerate(zip(turns, table.attrs["pbc"], strict=True))
        if periodic and abs(turn - round(turn)) > _MISFIT * max(1.0, abs(turn))
    ]
    return f"; it does not close around the box: {', '.join(open_ended)}" if open_ended else ""
