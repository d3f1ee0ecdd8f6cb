# SPDX-License-Identifier: MIT
"""``edgphys reweight``: estimates between the rungs of a ladder, from all its draws."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from edgphys.cli.run_arguments import RunArguments
from edgphys.cli.system_arguments import CouplingArguments

__all__ = ["reweight"]


def reweight(
    draws: Annotated[
        list[Path],
        typer.Argument(
            help="A ladder, as edgphys temper writes it, or chains of edgphys sample at temperatures."
        ),
    ],
    parameters: CouplingArguments,
    *,
    n_resamples: Annotated[int, typer.Option(help="Bootstrap copies of every estimate.")] = 0,
    run: RunArguments,
) -> None:
    """Observables along a coupling, as in --temperature 1.8:3.2:50, from all draws of a ladder together."""
    start = time.perf_counter()
    with run.unfinished() as store:
        conditions = {
            name: listed if len(listed) > 1 else listed[0] for name, listed in parameters.values().items()
        }
        from edgphys import dataset
        from edgphys import reweight as compute

        read = [dataset.read(path) for path in draws]
        result = compute(
            read[0] if len(read) == 1 else read, n_resamples=n_resamples, seed=run.seed, **conditions
        )
        run.finish(result, store, start)
