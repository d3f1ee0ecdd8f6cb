# SPDX-License-Identifier: MIT
"""Which walkers move configurations along a ladder: points, of a system with a kernel, or lattice chains."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from edgphys.errors import ArgumentValueError
from edgphys.mcmc.algorithms import best_algorithm, make_sampler
from edgphys.mcmc.annealing.chain_walkers import ChainWalkers, check_single
from edgphys.mcmc.annealing.ladder import MakeWalkers
from edgphys.mcmc.annealing.moving_points import MovingPoints
from edgphys.systems.base import AbstractSystem

__all__ = ["chain_walkers", "check_coefficients", "walkers_of"]


def walkers_of(start: AbstractSystem, end: AbstractSystem) -> MakeWalkers:
    """What makes walkers from `start` to `end`, by the best algorithm or by HMC.

    Raises
    ------
    NotExactError
        If no algorithm serves both, or it holds several chains in a state.
    ArgumentValueError
        If, on a lattice, they differ in more than the coefficients of the action.
    """
    if end.kernel is not None:
        return MovingPoints
    return _BY_GEOMETRY[end.geometry](start, end)


def chain_walkers(
    start: AbstractSystem,
    end: AbstractSystem,
    algorithm: str | None = None,
    options: Mapping[str, Any] | None = None,
) -> MakeWalkers:
    """Those of lattice systems, by an algorithm of choice that holds one chain in a state."""
    check_coefficients(start, end)
    algorithm = best_algorithm(start, end) if algorithm is None else algorithm
    check_single(make_sampler(start, algorithm, options))
    return partial(ChainWalkers, algorithm=algorithm, options=options)


def check_coefficients(start: AbstractSystem, end: AbstractSystem) -> None:
    """Refuse two systems whose actions are not of the same sums: work is a change of coefficients."""
    probe = end.random_configurations(2, np.random.default_rng(0))
    if not np.allclose(start.action_terms(probe), end.action_terms(probe), rtol=1e-9, equal_nan=True):
        raise ArgumentValueError(
            f"couplings must change coefficients of the action only to be annealed, got {start!r} for {end!r}"
        )


def _moving_points(start: AbstractSystem, end: AbstractSystem) -> MakeWalkers:
    return MovingPoints


_BY_GEOMETRY: dict[str, Callable[[AbstractSystem, AbstractSystem], MakeWalkers]] = {
    "lattice": chain_walkers,
    "continuous": _moving_points,
    "particles": _moving_points,
}
