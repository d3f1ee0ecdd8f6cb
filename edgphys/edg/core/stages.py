# SPDX-License-Identifier: MIT
"""A training from chains first and from the energy afterwards, as models of known density take it."""

from __future__ import annotations

from dataclasses import replace

from edgphys.edg.core.bounds import path_bound
from edgphys.edg.core.training import Stage

__all__ = ["chains_then_energy"]

# Share of the steps, and of the learning rate, of the run on the energy that comes after the chains.
_SHARE, _RATE = 0.1, 0.1


def chains_then_energy(by_chains: Stage, batch_size: int) -> list[Stage]:
    """The steps of a run by chains, the last of them a run on the energy with batches of `batch_size`."""
    settings = by_chains.settings
    n_last = round(_SHARE * settings.n_steps)
    last = replace(
        settings,
        n_steps=n_last,
        learning_rate=_RATE * settings.learning_rate,
        batch_size=batch_size,
        annealing=0.0,
    )
    first = replace(settings, n_steps=settings.n_steps - n_last)
    return [replace(by_chains, settings=first), Stage(last, path_bound, path_bound)]
