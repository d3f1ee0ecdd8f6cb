# SPDX-License-Identifier: MIT
r"""How many trials each particle of a growing cluster gets, by a pilot, at the pairs of all together.

The noise of log q falls as v_k / M_k with the number of trials of particle k, whose energies are k + 1 pairs
each: at a given number of pairs the noise of the sum is least for M_k as sqrt(v_k / (k + 1)).
"""

from __future__ import annotations

import torch
from torch import Tensor

from edgphys.edg.growth.generative_model import GrowthModel

__all__ = ["best_trials", "share_trials"]

# Of a particle, over the average.
_FEWEST, _MOST = 0.25, 4.0
_N_PILOTS = 4


def best_trials(noise: Tensor, n_trials: Tensor) -> Tensor:
    """Numbers of trials, shape (n_particles - 1,), for the pairs of `n_trials` and the noise seen with them.

    Examples
    --------
    >>> best_trials(torch.tensor([1.0, 1.0, 4.0]), torch.tensor([90, 90, 90])).tolist()
    [92, 65, 106]
    """
    cost = torch.arange(1, len(noise) + 1, dtype=torch.float64, device=noise.device)
    pairs = float((cost * n_trials).sum())
    wanted = torch.sqrt((noise.double() * n_trials).clamp_min(1e-12) / cost)
    for _ in range(8):
        wanted = (wanted * pairs / (cost * wanted).sum()).clamp(
            _FEWEST * float(n_trials.double().mean()), _MOST * float(n_trials.double().mean())
        )
    return wanted.round().long()


def share_trials(model: GrowthModel, configurations: Tensor, seed: int) -> int:
    """Set the trials of a model by how its log q scatters at the same configurations; energies it took."""
    generator = torch.Generator(device=model.device).manual_seed(seed)
    x, _ = model.target.lower(configurations, generator)
    again = torch.stack([model.log_terms(x, generator) for _ in range(_N_PILOTS)])
    laws, n_energies = model.laws, model.target.trials_as_energies(_N_PILOTS * len(x))
    laws.n_trials.copy_(best_trials(again.var(0).mean(0), laws.n_trials))
    return n_energies
