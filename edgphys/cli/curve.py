# SPDX-License-Identifier: MIT
"""``edgphys curve``: estimates along one coupling from a trained generator with conditions."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from edgphys.cli.own_observables import Observables, read_observables
from edgphys.cli.run_arguments import Device, RunArguments
from edgphys.cli.system_arguments import CouplingArguments, typed
from edgphys.cli.values import parse_options

__all__ = ["curve"]


def curve(
    model: Annotated[
        Path, typer.Argument(help="Generator with conditions, as EDG(..., conditions=...).save writes it.")
    ],
    parameters: CouplingArguments,
    *,
    n_samples: Annotated[int, typer.Option(help="Weighted draws in all.")] = 10_000,
    n_nodes: Annotated[int, typer.Option(help="Values of the coupling at which to draw.")] = 24,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="NAME=VALUE", help="Setting of the draws, as n_views=8; repeat."),
    ] = None,
    observable: Observables = None,
    device: Device = None,
    run: RunArguments,
) -> None:
    """Free energy and observables along one coupling, as in --temperature 1.8:3.2:200, from pooled draws.

    Further couplings of the generator are fixed at one value each.
    """
    start = time.perf_counter()
    measured = read_observables(observable)
    with run.unfinished() as store:
        coupling, values, fixed = _read(parameters)
        from edgphys import EDG

        result = (
            EDG.load(model, device=device)
            .at(**fixed)
            .curve(
                {coupling: values},
                n_samples,
                run.seed,
                n_nodes=n_nodes,
                observables=measured,
                progress=not run.quiet,
                **parse_options(option),
            )
        )
        run.finish(result, store, start)


def _read(parameters: CouplingArguments) -> tuple[str, list[float], dict[str, float]]:
    """The coupling that the curve is over with its values, and the couplings that are fixed."""
    given = parameters.values()
    several = [name for name, values in given.items() if len(values) > 1] or list(given)
    if len(several) != 1:
        words = ", ".join(map(typed, several)) or "none"
        raise ValueError(
            f"one coupling must have several values, as in --temperature 1.8:3.2:200, got {words}"
        )
    (coupling,) = several
    return coupling, given.pop(coupling), {name: value for name, (value,) in given.items()}
