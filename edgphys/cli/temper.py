# SPDX-License-Identifier: MIT
"""``edgphys temper``: parallel tempering on a ladder of couplings."""

from __future__ import annotations

import time
from typing import Annotated, Any

import typer

from edgphys.cli.chain_options import Algorithm, Keep, Options, Sweeps, Thin, WarmUp
from edgphys.cli.own_observables import Observables, read_observables
from edgphys.cli.run_arguments import RunArguments
from edgphys.cli.signature import Without
from edgphys.cli.system_arguments import SystemArguments
from edgphys.cli.values import parse_options

__all__ = ["temper"]


def temper(
    system: Annotated[SystemArguments, Without("m2", "convention")],
    *,
    spaced: Annotated[
        int | None,
        typer.Option(help="Use only the two ends of the range, with so many rungs that swap equally often."),
    ] = None,
    algorithm: Algorithm = None,
    option: Options = None,
    n_chains: Annotated[int, typer.Option(help="Independent ladders.")] = 4,
    n_sweeps: Sweeps = 10_000,
    n_warmup: WarmUp = None,
    thin: Thin = 1,
    swap_every: Annotated[int, typer.Option(help="Sweeps between two rounds of swaps.")] = 1,
    houdayer: Annotated[
        bool, typer.Option("--houdayer", help="Two replicas a rung that exchange clusters: glasses in 2D.")
    ] = False,
    observable: Observables = None,
    keep: Keep = False,
    run: RunArguments,
) -> None:
    """Parallel tempering along the couplings with several VALUES (of equal number, if more than one has)."""
    start = time.perf_counter()
    measured = read_observables(observable)
    maker, values = system.read_several("tempered")
    ladder = _ladder(values, spaced)
    subject = maker(**{name: listed[0] for name, listed in values.items()})
    with run.unfinished() as store:
        from edgphys import mcmc

        if spaced is not None:
            ends: dict[str, Any] = {name: (listed[0], listed[-1]) for name, listed in ladder.items()}
            rungs = mcmc.space_ladder(subject, n_rungs=spaced, algorithm=algorithm, seed=run.seed, **ends)
            ladder = dict.fromkeys(ladder, rungs)
        samples = mcmc.temper(
            subject,
            ladder,
            algorithm,
            n_chains,
            n_sweeps,
            run.seed,
            swap_every=swap_every,
            houdayer=houdayer,
            n_warmup=n_warmup,
            thin=thin,
            keep=keep,
            options=parse_options(option),
            observables=measured,
            checkpoint=store,
            progress=not run.quiet,
        )
        run.finish(samples, store, start)


def _ladder(values: dict[str, list], spaced: int | None) -> dict[str, list]:
    """The couplings with several values: at least one, and only one if it is to be `spaced`."""
    ladder = {name: listed for name, listed in values.items() if len(listed) > 1}
    if not ladder:
        raise ValueError("temper needs a coupling with several VALUES, such as --temperature 2.0:3.0:8")
    if spaced is not None and len(ladder) > 1:
        raise ValueError(f"--spaced must go with one coupling of several VALUES, got {', '.join(ladder)}")
    return ladder
