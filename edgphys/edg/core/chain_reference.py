# SPDX-License-Identifier: MIT
"""Configurations that laws learn from: those that are given, or draws of the package's own chains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgphys import mcmc
from edgphys.edg.core.recipe import TrainingJob
from edgphys.systems.base import AbstractSystem

__all__ = ["ChainPlan", "Reference"]

_FEWEST = 1024
# Sites of all draws together: fewer draws of larger lattices, which have more sites to learn from.
_MOST_SITES = 2**22
# Of each system, where there are several.
_FEWEST_EACH, _FEWEST_WITNESSES = 512, 64
_N_WITNESSES, _THIN_WITNESSES = 256, 10
# Tell the seeds of the chains from that of the weights.
_CHAINS, _WITNESSES = (5,), (6,)


@dataclass(frozen=True)
class ChainPlan:
    """Chains that give a reference.

    Attributes
    ----------
    n_chains : int
    thin, n_warmup : int
        Sweeps between draws, and before the first. A draw need not be independent of the one before: it is
        moved by a symmetry, and only what the chains visit at all matters.
    most : int
        Draws.
    looks : int
        How often training takes a draw, about. Where symmetry moves it every time, four looks are as good as
        four draws.
    """

    n_chains: int = 8
    thin: int = 2
    n_warmup: int = 500
    most: int = 8192
    looks: int = 4


class Reference:
    """Gives configurations, shape (n_configurations, n_variables), when it is called, and keeps them.

    Parameters
    ----------
    job : TrainingJob
    systems : sequence of AbstractSystem
        Where the chains run: that of the job, or it at all nodes of a range, as many draws of each in turn.
    plan : ChainPlan, optional

    Attributes
    ----------
    told : dict
        What datasets say of it.
    n_gradient_calls : int
        Of the chains.
    """

    def __init__(
        self, job: TrainingJob, systems: Sequence[AbstractSystem], plan: ChainPlan | None = None
    ) -> None:
        self._plan = ChainPlan() if plan is None else plan
        self._systems, self._seed, self._given = systems, job.settings.seed, job.reference
        self._configurations = job.reference
        # Each step for the finest level takes a batch.
        wanted = job.settings.n_steps * job.settings.batch_size // self._plan.looks
        most = min(self._plan.most, max(_FEWEST, _MOST_SITES // job.system.n_variables))
        self._n_draws = min(max(wanted, _FEWEST), most)
        self.told: dict[str, Any] = {"n_energy_calls": 0}
        self.n_gradient_calls = 0

    def __call__(self) -> Tensor:
        if self._configurations is None:
            n_draws = max(self._n_draws // len(self._systems), _FEWEST_EACH)
            self._configurations = self._run_chains(_CHAINS, n_draws, self._plan.thin)
        self.told["n_reference"] = len(self._configurations)
        return self._configurations

    def witnesses(self) -> Tensor:
        """Some of the configurations that were given, or of chains of their own; float32 or int8."""
        if self._given is None:
            n_draws = max(_N_WITNESSES // len(self._systems), _FEWEST_WITNESSES)
            chosen = self._run_chains(_WITNESSES, n_draws, _THIN_WITNESSES)
        else:
            every = max(1, len(self._given) // _N_WITNESSES)
            chosen = self._given[::every][:_N_WITNESSES]
        return chosen.float() if chosen.is_floating_point() else chosen

    def _run_chains(self, spawn_key: tuple[int], n_draws: int, thin: int) -> Tensor:
        """`n_draws` of every system, rounded down to as many from each chain."""
        words = np.random.SeedSequence(self._seed, spawn_key=spawn_key)
        seeds = words.generate_state(len(self._systems), np.uint64) >> np.uint64(1)
        n_chains, parts = self._plan.n_chains, []
        for system, seed in zip(self._systems, seeds, strict=True):
            samples = mcmc.run(
                system,
                mcmc.best_algorithm(system),
                n_chains=n_chains,
                n_sweeps=n_draws // n_chains * thin,
                thin=thin,
                n_warmup=self._plan.n_warmup,
                seed=int(seed),
                keep=True,
            )
            self.told["n_energy_calls"] += int(samples.attrs["n_energy_calls"])
            self.n_gradient_calls += int(samples.attrs["n_gradient_calls"])
            parts.append(samples["configurations"].to_numpy().reshape(n_draws // n_chains * n_chains, -1))
        return torch.from_numpy(np.concatenate(parts))
