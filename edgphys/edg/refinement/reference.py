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
# Sites of all draws together: fewer draws of larger lattices, which have more sites to learn from.
_MOST_SITES = 2**22
_N_CHAINS = 8
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

    Attributes
    ----------
    told : dict
        What datasets say of it.
    """

    def __init__(self, job: TrainingJob) -> None:
        self._system, self._seed, self._given = job.system, job.settings.seed, job.reference
        self._configurations = job.reference
        # Each step for the finest level takes a batch; four looks at a draw, moved every time, are as good.
        wanted = job.settings.n_steps * job.settings.batch_size // 4
        most = min(_MOST, max(_FEWEST, _MOST_SITES // job.system.n_variables))
        self._n_draws = min(max(wanted, _FEWEST), most) // _N_CHAINS * _N_CHAINS
        self.told: dict[str, Any] = {"n_energy_calls": 0}

    def __call__(self) -> Tensor:
        if self._configurations is None:
            self._configurations = self._run_chains(_CHAINS, self._n_draws, _THIN)
        self.told["n_reference"] = len(self._configurations)
        return self._configurations

    def witnesses(self) -> Tensor:
        """Some of the configurations that were given, or of chains of their own; float32 or int8."""
        if self._given is None:
            chosen = self._run_chains(_WITNESSES, _N_WITNESSES, _THIN_WITNESSES)
        else:
            every = max(1, len(self._given) // _N_WITNESSES)
            chosen = self._given[::every][:_N_WITNESSES]
        return chosen.float() if chosen.is_floating_point() else chosen

    def _run_chains(self, spawn_key: tuple[int], n_draws: int, thin: int) -> Tensor:
        sequence = np.random.SeedSequence(self._seed, spawn_key=spawn_key)
        samples = mcmc.run(
            self._system,
            mcmc.best_algorithm(self._system),
            n_chains=_N_CHAINS,
            n_sweeps=n_draws // _N_CHAINS * thin,
            thin=thin,
            n_warmup=_N_WARMUP,
            seed=int(sequence.generate_state(1, np.uint64)[0] >> 1),
            keep=True,
        )
        self.told["n_energy_calls"] += int(samples.attrs["n_energy_calls"])
        return torch.from_numpy(samples["configurations"].to_numpy().reshape(n_draws, -1))
