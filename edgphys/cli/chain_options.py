# SPDX-License-Identifier: MIT
"""Options of Markov chains that commands share; their defaults are each command's own."""

from __future__ import annotations

from typing import Annotated

import typer

__all__ = ["Algorithm", "Keep", "Options", "Sweeps", "Thin", "WarmUp"]

Algorithm = Annotated[
    str | None, typer.Option(help="Algorithm of the chains; the best for the system by default.")
]
Options = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="NAME=VALUE",
        help="Setting of the algorithm, or of edg, such as training=energy, decoder_size=32,2 or "
        "'train_at={\"temperature\":2}'; repeat.",
    ),
]
Sweeps = Annotated[int, typer.Option(help="Sweeps of each chain after the warm-up.")]
WarmUp = Annotated[int | None, typer.Option(help="Sweeps discarded; a fifth of --n-sweeps by default.")]
Thin = Annotated[int, typer.Option(help="Sweeps from one draw to the next.")]
Keep = Annotated[bool, typer.Option("--keep", help="Write the configurations too.")]
