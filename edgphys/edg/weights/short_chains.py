# SPDX-License-Identifier: MIT
"""Short Markov chains from draws: they go where the target goes, whether the draws do or not.

Draws chosen by their weights are draws of the target as far as they reach. Moves that leave the target
invariant, started from them, stay with this law only if it is the whole target: otherwise they leave for what
it lacks, a rim around a basin or the next configurations of a frustrated lattice, where the model has hardly
any density. Their states are sent back through the encoder in place of the draws
(`edgphys.edg.weights.round_trip`). Far modes, which short chains do not reach, stay unseen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

import numpy as np
import torch
from torch import Tensor

from edgphys.edg.targets.base import AbstractTarget, Calls
from edgphys.errors import NotExactError
from edgphys.mcmc.annealing.walkers_of import walkers_of
from edgphys.systems.base import AbstractSystem

__all__ = ["ShortChains", "short_chains"]

# Moves in which steps are tuned, from short ones on; states of a chain that are looked at; moves between.
_N_TUNING, _N_STATES, _N_MOVES = 15, 4, 2


@final
class ShortChains:
    """Moves of the best algorithm, or of HMC, that leave a system invariant.

    Parameters
    ----------
    system : AbstractSystem
    annealed : bool
        Whether states are variables of the system, as annealing moves them, or configurations.
    rng : numpy.random.Generator
    """

    def __init__(self, system: AbstractSystem, annealed: bool, rng: np.random.Generator) -> None:
        self._system, self._annealed, self._rng = system, annealed, rng
        self._make, self.calls = walkers_of(system, system), Calls()

    def __call__(self, states: Tensor) -> Iterator[Tensor]:
        """States of the chains, several times, shape and kind of those that they start from."""
        walkers = self._make(self._system, self._variables(states), self._rng)
        steps = walkers.first_steps()
        for _ in range(_N_TUNING):
            _, steps = walkers.tune(steps)
        for _ in range(_N_STATES):
            for _ in range(_N_MOVES):
                walkers.move(steps)
            yield self._states(walkers.x).to(states)
        self.calls = self.calls + Calls(*walkers.calls())

    def _variables(self, states: Tensor) -> np.ndarray:
        if not self._annealed and self._system.lattice is None:
            states = self._system.from_configurations(states.reshape(-1, *self._system.event_shape)).flatten(
                1
            )
        return states.double().cpu().numpy()

    def _states(self, x: np.ndarray) -> Tensor:
        states = torch.from_numpy(x.astype(np.float64))
        if not self._annealed and self._system.lattice is None:
            return self._system.to_configurations(states, None).flatten(1)
        return states


def short_chains(target: AbstractTarget, annealed: bool, rng: np.random.Generator) -> ShortChains | None:
    """Those of the system that weights are of; None where no algorithm moves it, or no way leads back."""
    system = target.training_system if annealed else target.system
    if not system.has_way_back:
        return None
    try:
        return ShortChains(system, annealed, rng)
    except NotExactError:
        return None
