# SPDX-License-Identifier: MIT
"""Which algorithms there are for which systems, by name.

A new algorithm is one new file with an `AbstractSampler`, which says what family of systems it is for and how
good it is among the others, and one entry here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from edgphys.errors import NotExactError, UnknownNameError
from edgphys.mcmc.continuous.hmc import GenericHMC
from edgphys.mcmc.continuous.mala import MALA
from edgphys.mcmc.continuous.random_walk import RandomWalkMetropolis
from edgphys.mcmc.core.sampler import AbstractSampler
from edgphys.mcmc.ising.bits.multispin import IsingMultispin
from edgphys.mcmc.ising.clusters.swendsen_wang import IsingSwendsenWang
from edgphys.mcmc.ising.clusters.wolff import IsingWolff
from edgphys.mcmc.ising.heat_bath import IsingHeatBath
from edgphys.mcmc.ising.metropolis import IsingMetropolis
from edgphys.mcmc.phi4.embedded_wolff import Phi4EmbeddedWolff
from edgphys.mcmc.phi4.hmc import Phi4HMC
from edgphys.mcmc.phi4.metropolis import Phi4Metropolis
from edgphys.mcmc.phi4.overrelaxation import Phi4Overrelaxation
from edgphys.mcmc.rotors.heat_bath import RotorHeatBath
from edgphys.mcmc.rotors.overrelaxation import RotorOverrelaxation
from edgphys.mcmc.rotors.wolff import RotorWolff
from edgphys.mcmc.states.local import StatesHeatBath, StatesMetropolis
from edgphys.mcmc.states.swendsen_wang import StatesSwendsenWang
from edgphys.mcmc.states.wolff import StatesWolff
from edgphys.systems.base import check_finite_integral

__all__ = ["algorithms_for", "best_algorithm", "make_sampler"]

# The generally applicable ones of each family first.
_SAMPLERS: tuple[type[AbstractSampler], ...] = (
    IsingMetropolis,
    IsingHeatBath,
    IsingMultispin,
    IsingWolff,
    IsingSwendsenWang,
    Phi4Metropolis,
    Phi4HMC,
    Phi4EmbeddedWolff,
    Phi4Overrelaxation,
    StatesMetropolis,
    StatesHeatBath,
    StatesWolff,
    StatesSwendsenWang,
    RandomWalkMetropolis,
    MALA,
    GenericHMC,
    RotorHeatBath,
    RotorOverrelaxation,
    RotorWolff,
)


def algorithms_for(system) -> tuple[str, ...]:
    """Names of the algorithms that `edgphys.mcmc.run` accepts for this system, the most general one first.

    Examples
    --------
    >>> import lattices
    >>> from edgphys.systems import Ising
    >>> "wolff" in algorithms_for(Ising(lattices.build("square", (4, 4)), temperature=2.0))
    True
    >>> "wolff" in algorithms_for(Ising(lattices.build("triangular", (3, 3)), temperature=2.0, coupling=-1.0))
    False
    """
    return tuple(sampler.name for sampler in _serving(system))


def best_algorithm(system, *more) -> str:
    """The algorithm that decorrelates best among those that serve this system and all of `more`.

    The ranking is that of the classes (`AbstractSampler.rank`): cluster updates decorrelate in O(1) sweeps at
    criticality, trajectories and reflections in fewer than local updates. It is what every part of the
    package takes where no algorithm is named.

    Raises
    ------
    NotExactError
        If no algorithm serves them all.

    Examples
    --------
    >>> import lattices
    >>> from edgphys.systems import Ising
    >>> free = Ising(lattices.build("square", (4, 4)), temperature=2.0)
    >>> best_algorithm(free), best_algorithm(free, free.replace(field=0.1))
    ('wolff', 'swendsen_wang')
    """
    others = [algorithms_for(each) for each in more]
    serving = [c for c in _serving(system) if all(c.name in names for names in others)]
    if not serving:
        reason = _why_none(system) or f"got none that does for {system.name}"
        raise NotExactError(f"algorithm must serve every system given, {reason}")
    return min(serving, key=lambda sampler: sampler.rank).name


def _serving(system) -> Iterator[type[AbstractSampler]]:
    return (c for c in _SAMPLERS if c.family == system.family and c.serves(system) is None)


def _why_none(system) -> str | None:
    """What a system of a family without algorithms lacks."""
    if any(sampler.family == system.family for sampler in _SAMPLERS):
        return None
    return (
        f"and {system.name} is of the family {system.family!r}, which has none; "
        "a class of real variables may declare family = 'continuous'"
    )


def make_sampler(system, algorithm: str, options: Mapping | None = None) -> AbstractSampler:
    """The sampler of that name for the system, with its tables built and its options checked.

    Raises
    ------
    UnknownNameError
        If there is no such algorithm, or no such option.
    NotExactError
        If the algorithm exists but does not apply to this instance, or the family of the system has none; the
        message says why.
    ValueError
        If an option is out of range, or the integral of the density seems to be infinite.
    """
    for sampler_class in _SAMPLERS:
        if (sampler_class.family, sampler_class.name) == (system.family, algorithm):
            reason = sampler_class.serves(system)
            if reason is not None:
                raise NotExactError(reason)
            check_finite_integral(system)
            return sampler_class(system, dict(options or {}))
    if reason := _why_none(system):
        raise NotExactError(f"algorithm must serve the system, {reason}")
    names = ", ".join(algorithms_for(system)) or "none"
    raise UnknownNameError(f"algorithm must be one of {names} for {system.name}, got {algorithm!r}")
