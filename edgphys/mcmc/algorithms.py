# SPDX-License-Identifier: MIT
"""Which algorithms there are for which systems, by name.

A new algorithm is one new file with an `AbstractSampler` and one entry here, under the family of systems that
it serves.
"""

from __future__ import annotations

from collections.abc import Mapping

from edgphys.errors import NotExactError, UnknownNameError
from edgphys.mcmc.continuous.hmc import GenericHMC
from edgphys.mcmc.continuous.mala import MALA
from edgphys.mcmc.continuous.random_walk import RandomWalkMetropolis
from edgphys.mcmc.core.sampler import AbstractSampler
from edgphys.mcmc.ising.clusters.swendsen_wang import IsingSwendsenWang
from edgphys.mcmc.ising.clusters.wolff import IsingWolff
from edgphys.mcmc.ising.heat_bath import IsingHeatBath
from edgphys.mcmc.ising.metropolis import IsingMetropolis
from edgphys.mcmc.ising.words.multispin import IsingMultispin
from edgphys.mcmc.phi4.embedded_wolff import Phi4EmbeddedWolff
from edgphys.mcmc.phi4.hmc import Phi4HMC
from edgphys.mcmc.phi4.metropolis import Phi4Metropolis
from edgphys.mcmc.phi4.overrelaxation import Phi4Overrelaxation

__all__ = ["algorithms_for", "make_sampler"]

# The generally applicable ones first.
_SAMPLERS: dict[str, tuple[type[AbstractSampler], ...]] = {
    "ising": (IsingMetropolis, IsingHeatBath, IsingMultispin, IsingWolff, IsingSwendsenWang),
    "phi4": (Phi4Metropolis, Phi4HMC, Phi4EmbeddedWolff, Phi4Overrelaxation),
    "continuous": (RandomWalkMetropolis, MALA, GenericHMC),
}


def algorithms_for(system) -> tuple[str, ...]:
    """Names of the algorithms that `edgphys.mcmc.run` accepts for this system, the generally applicable
    one first.

    Examples
    --------
    >>> import lattices
    >>> from edgphys.systems import Ising
    >>> "wolff" in algorithms_for(Ising(lattices.build("square", (4, 4)), temperature=2.0))
    True
    >>> "wolff" in algorithms_for(Ising(lattices.build("triangular", (3, 3)), temperature=2.0, coupling=-1.0))
    False
    """
    return tuple(c.name for c in _SAMPLERS.get(system.family, ()) if c.why_not(system) is None)


def make_sampler(system, algorithm: str, options: Mapping | None = None) -> AbstractSampler:
    """The sampler of that name for the system, with its tables built and its options checked.

    Raises
    ------
    UnknownNameError
        If there is no such algorithm, or no such option.
    NotExactError
        If the algorithm exists but does not apply to this instance; the message says why.
    ValueError
        If an option is out of range.
    """
    for sampler_class in _SAMPLERS.get(system.family, ()):
        if sampler_class.name == algorithm:
            reason = sampler_class.why_not(system)
            if reason is not None:
                raise NotExactError(reason)
            return sampler_class(system, dict(options or {}))
    names = ", ".join(algorithms_for(system)) or "none"
    raise UnknownNameError(f"algorithm must be one of {names} for {system.name}, got {algorithm!r}")
