# SPDX-License-Identifier: MIT
r"""A coarse field as a target: the rest of the lattice is filled in by learned local laws.

For phi^4 the variables are the coarse field itself,

    Z = int dx_c pi(x_c),     pi(x_c) = int dx_f exp(-S(x_c, x_f)) = E_{x_f ~ p} [exp(-S) / p(x_f | x_c)]

with p the law of a `Refinement`, whose last class is exact. `lift` draws x_f: the exponential of its
log-density averages to pi(x_c) for any laws. `energy`, for training, draws x_f and holds it,

    energy(x_c) = S(x_c, x_f) + log p(x_f | x_c),

whose gradient is that of -log pi up to the score of the laws, which vanishes in the mean where they are
exact; its mean is an upper bound on -log pi.

For spins the variables are y of `CoarseRelaxation`, and the coarse spins s_c are filled in first,

    energy(y) = beta H(s_c, s_f) + log p(s_f | s_c) + log p_0(s_c | y) - log N(y; M^{1/2} s_c, 1) .

The finished configuration is moved by an element of the space group of its own, which restores the
translations and reflections that the choice of the coarse sites broke.
"""

from __future__ import annotations

from typing import ClassVar, cast, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgphys.edg.core.model import check_no_condition
from edgphys.edg.field.hartree import phi4_stiffness, soft_spin_gaussian
from edgphys.edg.refinement.classes import Classes
from edgphys.edg.refinement.coarse_relaxation import CoarseRelaxation
from edgphys.edg.refinement.model import Refinement
from edgphys.edg.targets.base import AbstractLatticeTarget
from edgphys.edg.targets.gaussian_start import GaussianStart, choose_start
from edgphys.edg.targets.ising import tilted_start
from edgphys.edg.targets.sublattices import restrict_orbits
from edgphys.systems import Ising, Phi4
from edgphys.systems.lattice.relaxation import LatticeOperator
from edgphys.systems.lattice.space_group import SpaceGroup
from lattices import Lattice
from lattices.build import expand
from lattices.numbering import site_index

__all__ = ["IsingRefinementTarget", "Phi4RefinementTarget", "root_lattice"]


def root_lattice(classes: Classes) -> tuple[Lattice, NDArray[np.int64]]:
    """The lattice of the coarse cells, and the sites on it that are those of the root, in their order."""
    lattice, spacing = classes.lattice, np.array(classes.spacings[-1])
    extent = tuple(int(n) for n in -(-np.array(lattice.extent) // spacing))
    coarse = expand(lattice.unit_cell, extent, lattice.pbc, True)
    cells = lattice.cells[classes.root] // spacing
    sites = site_index(cells, lattice.sublattices[classes.root], extent, lattice.n_sites_per_cell)
    return coarse, sites


def _generator_of_call(n_calls: Tensor, device: torch.device) -> torch.Generator:
    """For the draws of `energy`, by a count that is part of the state: a resumed training draws the same."""
    generator = torch.Generator(device=device).manual_seed(int(n_calls))
    n_calls += 1
    return generator


@final
class Phi4RefinementTarget(AbstractLatticeTarget):
    """phi^4 on the coarse sites of a refinement; see the module docstring.

    Parameters
    ----------
    refinement : Refinement
        Of a phi^4 system. Its laws are held fixed here.
    """

    exact_energy: ClassVar[bool] = False
    system: Phi4
    n_calls: Tensor

    def __init__(self, refinement: Refinement) -> None:
        super().__init__()
        self.system = system = cast(Phi4, refinement.system)
        self.refinement = refinement.requires_grad_(False)
        self.n_dims, self.symmetric = len(refinement.classes.root), True
        coarse, sites = root_lattice(refinement.classes)
        self.orbits = restrict_orbits(coarse.pair_orbits(), sites)
        signs = system.lattice.bipartition
        pattern = np.ones(system.n_sites) if system.hop >= 0.0 or signs is None else signs.astype(float)
        self.pattern = pattern[refinement.classes.root]
        self.group = SpaceGroup(system.lattice)
        self.register_buffer("n_calls", torch.zeros((), dtype=torch.int64))

    def energy(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """S(x_c, x_f) + log p(x_f | x_c) at x_f drawn from p and held, without the exact sites."""
        check_no_condition(condition)
        generator = _generator_of_call(self.n_calls, x.device)
        with torch.no_grad():
            drawn, _ = self.refinement.draw_learned(x.detach(), generator)
        field = drawn.index_copy(1, self.refinement.root, x)
        log_prob = self.refinement.learned_log_density(field, range(self.refinement.n_classes))
        return log_prob - self.refinement.log_marginal(field)

    @torch.no_grad()
    def lift(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw the rest of the lattice."""
        field, log_prob = self.refinement.sample(x.double(), generator)
        log_density = -self.system.reduced_energy(field) - log_prob
        return log_density, self.group.move(field, generator).to(x.dtype)

    @torch.no_grad()
    def lower(self, configurations: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The coarse part of the configuration, moved by an element of the space group."""
        field = self.group.move(configurations.double(), generator)
        log_density = -self.system.reduced_energy(field) - self.refinement.log_density(field)
        return self.refinement.restrict(field).to(configurations.dtype), log_density

    def gaussian_start(self) -> GaussianStart:
        """The better Hartree solution of the whole lattice, restricted to the coarse sites."""
        system, root = self.system, self.refinement.classes.root
        unit = torch.zeros(len(root), system.n_sites, dtype=torch.float64)
        unit[torch.arange(len(root)), torch.from_numpy(root)] = 1.0
        adjacency = LatticeOperator.from_adjacency(system.lattice, lambda w: w)
        starts = []
        for broken in (False, True) if system.quartic > 0.0 else (False,):
            mean, stiffness = phi4_stiffness(
                adjacency.eigenvalues, system.hop, system.quadratic, system.quartic, broken=broken
            )
            inverse = adjacency.function(lambda w, values=1.0 / stiffness: values.reshape(w.shape))
            covariance = inverse.apply(unit)[:, root].numpy()
            starts.append((mean * self.pattern, 0.5 * (covariance + covariance.T)))
        return choose_start(self, starts)


@final
class IsingRefinementTarget(AbstractLatticeTarget):
    """Softened coarse spins of a refinement; see the module docstring.

    Parameters
    ----------
    refinement : Refinement
        Of an Ising system.
    relaxation : CoarseRelaxation
        Of its coarse spins. Both are held fixed here.
    """

    exact_energy: ClassVar[bool] = False
    system: Ising
    n_calls: Tensor

    def __init__(self, refinement: Refinement, relaxation: CoarseRelaxation) -> None:
        super().__init__()
        self.system = system = cast(Ising, refinement.system)
        self.refinement, self.relaxation = refinement.requires_grad_(False), relaxation.requires_grad_(False)
        self.n_dims, self.symmetric = len(refinement.classes.root), system.field == 0.0
        coarse, sites = root_lattice(refinement.classes)
        self.orbits = restrict_orbits(coarse.pair_orbits(), sites)
        self.pattern = np.ones(self.n_dims)
        self.group = SpaceGroup(system.lattice)
        self.register_buffer("n_calls", torch.zeros((), dtype=torch.int64))

    def energy(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """At spins drawn and held, the exact ones summed."""
        check_no_condition(condition)
        generator = _generator_of_call(self.n_calls, x.device)
        with torch.no_grad():
            coarse = self.relaxation.draw(x.detach(), generator)
            spins, log_prob = self.refinement.draw_learned(coarse, generator)
            fixed = log_prob - self.refinement.log_marginal(spins)
        soft = self.relaxation.log_prob_soft(x, coarse)
        return fixed + self.relaxation.log_prob(coarse, x) - soft

    @torch.no_grad()
    def lift(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw the coarse spins, then the rest."""
        y = x.double()
        coarse = self.relaxation.draw(y, generator)
        spins, log_prob = self.refinement.sample(coarse, generator)
        return self._log_density(y, spins, log_prob), self.group.move(spins, generator).to(x.dtype)

    @torch.no_grad()
    def lower(self, configurations: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """y of the coarse spins of the configuration, moved by an element of the space group."""
        spins = self.group.move(configurations.double(), generator)
        y = self.relaxation.soften(self.refinement.restrict(spins), generator)
        log_density = self._log_density(y, spins, self.refinement.log_density(spins))
        return y.to(configurations.dtype), log_density

    def _log_density(self, y: Tensor, spins: Tensor, log_prob: Tensor) -> Tensor:
        coarse = self.refinement.restrict(spins)
        given = self.relaxation.log_prob_soft(y, coarse) - self.relaxation.log_prob(coarse, y)
        return given - self.system.beta * self.system.energy(spins) - log_prob

    def gaussian_start(self) -> GaussianStart:
        """The better self-consistent Gaussian of the relaxation of the coarse spins."""
        matrix, bias = self.relaxation.root.cpu().numpy(), self.relaxation.field
        if self.symmetric:
            return choose_start(
                self, [soft_spin_gaussian(matrix, 0.0, broken=broken) for broken in (False, True)]
            )
        return tilted_start(self, matrix, bias)
