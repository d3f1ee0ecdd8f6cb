# SPDX-License-Identifier: MIT
"""Markov chains as methods of a scan: one for each algorithm of `edgphys.mcmc`, and the best of a system."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from edgphys._checks import count
from edgphys.methods.base import AbstractDrawingMethod, Look, make_options, seed_words

if TYPE_CHECKING:
    import numpy as np
    import xarray as xr

__all__ = ["BEST", "LOOKS", "ChainMethod", "ChainOptions", "check_chains", "check_counts", "why_no_chains"]

# Shorter chains have no error bars.
_LEAST_SWEEPS = 16

BEST = "mcmc"  # the name of the best algorithm of whatever system


def _chain(label: str, colour: str = "", marker: str = "") -> Look:
    return Look(label, colour, marker, reference_rank=1)


# How algorithms are shown; colours are Okabe and Ito's, told apart by colour-blind readers. An algorithm that
# is not among them has its name as a label.
LOOKS = {
    "wolff": _chain("Wolff", "#D55E00", "s"),
    "swendsen_wang": _chain("Swendsen-Wang"),
    "embedded_wolff": _chain("embedded Wolff", "#E69F00", "v"),
    "hmc": _chain("HMC", "#CC79A7", "D"),
    "overrelaxation": _chain("overrelaxation"),
    "metropolis": _chain("Metropolis", "#009E73", "^"),
    "heat_bath": _chain("heat bath"),
    "multispin": _chain("multi-spin Metropolis"),
    "mala": _chain("MALA"),
    "random_walk": _chain("random walk"),
    BEST: _chain("MCMC", "#D55E00", "s"),
}


@dataclass(frozen=True)
class ChainOptions:
    """Settings of the chains at a point, as `edgphys.mcmc.run` documents them."""

    n_chains: int = 8
    n_sweeps: int = 20_000
    n_warmup: int | None = None
    thin: int = 1
    n_threads: int | None = None
    options: Mapping | None = None

    def __post_init__(self) -> None:
        check_counts(self)


def check_counts(options: Any) -> None:
    """Check what the options of all kinds of chains have in common."""
    least = {"n_chains": 1, "n_sweeps": _LEAST_SWEEPS, "n_warmup": 0, "thin": 1, "n_threads": 1}
    for name, lowest in least.items():
        if getattr(options, name) is not None:
            count(getattr(options, name), name, lowest)


def check_chains(system: Any, algorithm: str | None, options: Any, n_samplers: int = 1) -> None:
    """Refuse chains that the memory does not hold, or no machine finishes, before any is begun.

    Parameters
    ----------
    system : AbstractSystem
        One of those that differ in couplings only.
    algorithm : str or None
        None, or `BEST`: the best.
    options : record
        With the fields of `ChainOptions`, and checked.
    n_samplers : int
        Rungs that each chain is made of.
    """
    from edgphys import mcmc
    from edgphys.mcmc.algorithms import make_sampler
    from edgphys.mcmc.core.driver import check_plan, check_size

    best = mcmc.best_algorithm(system) if algorithm in (None, BEST) else algorithm
    plan = check_plan(options.n_chains, options.n_sweeps, options.n_warmup, options.thin or 1, False)
    check_size(
        make_sampler(system, best, options.options), replace(plan, n_chains=plan.n_chains * n_samplers)
    )


def why_no_chains(system: Any) -> str | None:
    """Why there is no Markov chain for `system`; None if there is one."""
    from edgphys import mcmc

    return None if mcmc.algorithms_for(system) else f"no algorithm of Markov chains serves {system.name}"


class ChainMethod(AbstractDrawingMethod):
    """Markov chains by one algorithm.

    Parameters
    ----------
    name : str
        Of an algorithm, or `BEST`: the best for the system, see `edgphys.mcmc.best_algorithm`.
    given : mapping
        Fields of `ChainOptions`.
    """

    argument = "mcmc"
    counted = "n_sweeps"

    def __init__(self, name: str, given: Mapping[str, Any] | None = None) -> None:
        self.name = name
        self.look = LOOKS.get(name, _chain(name.replace("_", " ")))
        self._given = dict(given or {})
        self.options = make_options(ChainOptions, self._given, self.argument)

    def settings(self) -> dict[str, Any]:
        return dict(self._given)

    def applies_to(self, system: Any) -> str | None:
        from edgphys import mcmc

        if self.name == BEST or self.name in mcmc.algorithms_for(system):
            return why_no_chains(system)
        return f"no algorithm of this name serves {system.name}"

    def check(self, systems: Sequence[Any]) -> None:
        check_chains(systems[0], self.name, self.options)

    def beside_others(self) -> ChainMethod:
        return ChainMethod(self.name, {"n_threads": 1, **self._given})

    def drawing(self, count: int) -> ChainMethod:
        return ChainMethod(self.name, {**self._given, "n_sweeps": max(count, _LEAST_SWEEPS)})

    def run(
        self, system: Any, seed: np.random.SeedSequence, artefact: Any = None, checkpoint: str | None = None
    ) -> xr.Dataset:
        from edgphys import mcmc
        from edgphys.estimators import estimate
        from edgphys.mcmc.core.checkpoint import Temporary

        algorithm = mcmc.best_algorithm(system) if self.name == BEST else self.name
        # The third word: the first two seed samplers, and one seed must not serve two draws.
        chain_seed, _, estimate_seed = seed_words(seed, 3)
        given = {field.name: getattr(self.options, field.name) for field in dataclasses.fields(self.options)}
        store = None if checkpoint is None else Temporary(checkpoint)
        samples = mcmc.run(system, algorithm, seed=chain_seed, keep=self._keeps, checkpoint=store, **given)
        self._write_draws(samples)
        return estimate(samples, seed=estimate_seed)
