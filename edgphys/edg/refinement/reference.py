# SPDX-License-Identifier: MIT
"""Configurations that laws learn from: those that are given, or draws of the package's own chains."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from edgphys import mcmc
from edgphys.edg.core.recipe import TrainingJob

__all__ = ["Reference"]

_FEWEST, _MOST = 1024, 8192
_N_CHAINS = 8
# Sweeps between draws, and before the first. A draw need not be independent of the one before: it is moved
# by the space group, and only what the chains visit at all matters.
_THIN = 3
_N_WARMUP = 1500
# Tells the seed of the chains from that of the weights.
_SPAWN_KEY = (5,)


class Reference:
    """Gives configurations, shape (n_configurations, n_sites), when it is called, and keeps them.

    Parameters
    ----------
    job : TrainingJob

    Attributes
    ----------
    told : dict
        What datasets say of it.
    """

    def __init__(self, job: TrainingJob) -> None:
        self._system, self._seed, self._configurations = job.system, job.settings.seed, job.reference
        # Each step for the finest level takes a batch; four looks at a draw, moved every time, are as good.
        wanted = job.settings.n_steps * job.settings.batch_size // 4
        self._n_draws = min(max(wanted, _FEWEST), _MOST) // _N_CHAINS * _N_CHAINS
        self.told: dict[str, Any] = {}

    def __call__(self) -> Tensor:
        if self._configurations is None:
            samples = self._run_chains()
            flat = samples["configurations"].to_numpy().reshape(self._n_draws, -1)
            self._configurations = torch.from_numpy(flat)
            self.told["n_energy_calls"] = int(samples.attrs["n_energy_calls"])
        self.told["n_reference"] = len(self._configurations)
        return self._configurations

    def _run_chains(self):
        sequence = np.random.SeedSequence(self._seed, spawn_key=_SPAWN_KEY)
        return mcmc.run(
            self._system,
            mcmc.best_algorithm(self._system),
            n_chains=_N_CHAINS,
            n_sweeps=self._n_draws // _N_CHAINS * _THIN,
            thin=_THIN,
            n_warmup=_N_WARMUP,
            seed=int(sequence.generate_state(1, np.uint64)[0] >> 1),
            keep=True,
        )
