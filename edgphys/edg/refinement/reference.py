# SPDX-License-Identifier: MIT
"""Configurations that laws learn from: those that are given, or draws of the package's own chains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgphys import mcmc
from edgphys.edg.core.recipe import TrainingJob
from edgphys.systems.base import AbstractSystem

__all__ = ["Reference"]

_FEWEST, _MOST = 1024, 8192
# Sites of all draws together: fewer draws of larger lattices, which have more sites to learn from.
_MOST_SITES = 2**22
_N_CHAINS = 8
# Of each system, where there are several.
_FEWEST_EACH, _FEWEST_WITNESSES = 512, 64
# Sweeps between draws, and before the first. A draw need not be independent of the one before: it is moved
# by the space group, and only what the chains visit at all matters.
_THIN = 2
_N_WARMUP = 500
_N_WITNESSES, _THIN_WITNESSES = 256, 10
# Tell the seeds of the chains from that of the weights.
_CHAINS, _WITNESSES = (5,), (6,)


class Reference:
    """Gives configurations, shape (n_configurations, n_sites), when it is called, and keeps them.

    Parameters
    ----------
    job : TrainingJob
    systems : sequence of AbstractSystem
        Where the chains run: that of the job, or it at all nodes of a range, as many draws of each in turn.

    Attributes
    ----------
    told : dict
        What datasets say of it.
    """

    def __init__(self, job: TrainingJob, systems: Sequence[AbstractSystem]) -> None:
        self._systems, self._seed, self._given = systems, job.settings.seed, job.reference
        self._configurations = job.reference
        # Each step for the finest level takes a batch; four looks at a draw, moved every time, are as good.
        wanted = job.settings.n_steps * job.settings.batch_size // 4
        most = min(_MOST, max(_FEWEST, _MOST_SITES // job.system.n_variables))
        self._n_draws = min(max(wanted, _FEWEST), most)
        self.told: dict[str, Any] = {"n_energy_calls": 0}

    def __call__(self) -> Tensor:
        if self._configurations is None:
            n_draws = max(self._n_draws // len(self._systems), _FEWEST_EACH)
            self._configurations = self._run_chains(_CHAINS, n_draws, _THIN)
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
        parts = []
        for system, seed in zip(self._systems, seeds, strict=True):
            samples = mcmc.run(
                system,
                mcmc.best_algorithm(system),
                n_chains=_N_CHAINS,
                n_sweeps=n_draws // _N_CHAINS * thin,
                thin=thin,
                n_warmup=_N_WARMUP,
                seed=int(seed),
                keep=True,
            )
            self.told["n_energy_calls"] += int(samples.attrs["n_energy_calls"])
            parts.append(samples["configurations"].to_numpy().reshape(n_draws // _N_CHAINS * _N_CHAINS, -1))
        return torch.from_numpy(np.concatenate(parts))
