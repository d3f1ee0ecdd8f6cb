# SPDX-License-Identifier: MIT
"""``edgphys sample``: Markov chains at one point."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from edgphys.cli.chain_options import Algorithm, Keep, Options, Sweeps, Thin, WarmUp
from edgphys.cli.run_arguments import RunArguments
from edgphys.cli.system_arguments import SystemArguments
from edgphys.cli.values import parse_options

__all__ = ["sample"]


def sample(
    system: SystemArguments,
    *,
    algorithm: Algorithm = None,
    option: Options = None,
    n_chains: Annotated[int, typer.Option(help="Independent chains.")] = 8,
    n_sweeps: Sweeps = 20_000,
    n_warmup: WarmUp = None,
    thin: Thin = 1,
    keep: Keep = False,
    run: RunArguments,
) -> None:
    """Sample one system by Markov chains, write the draws, print the estimates."""
    start = time.perf_counter()
    subject = system.build()
    with run.unfinished() as store:
        from edgphys import mcmc

        samples = mcmc.run(
            subject,
            algorithm or mcmc.best_algorithm(subject),
            n_chains,
            n_sweeps,
            run.seed,
            n_warmup=n_warmup,
            thin=thin,
            keep=keep,
            options=parse_options(option),
            checkpoint=store,
            progress=not run.quiet,
        )
    run.finish(samples, store, start)
