# SPDX-License-Identifier: MIT
r"""A coarse field as a target: the rest of the lattice is filled in by learned local laws.

For phi^4 the variables are the coarse field itself,

    Z = int dx_c pi(x_c),     pi(x_c) = int dx_f exp(-S(x_c, x_f)) = E_{x_f ~ p} [exp(-S) / p(x_f | x_c)]

with p the law of a `Refinement`, whose last class is exact. `lift` draws x_f: the exponential of its
log-density averages to pi(x_c) for any laws. For spins, states and angles the variables are y of
`CoarseRelaxation`, and the coarse sites x_c are filled in first. Where many phases are alike, y is that of
one of them (`edgphys.edg.refinement.phase_frame`), which multiplies the density by |G| p(1 | y).

Training sees a stand-in without the rest of the lattice, the learned density p_r of the coarse sites alone
(an autoregressive root, as accurate as the laws), so that a step costs the same on every lattice:

    phi^4:    energy(x_c) = -log p_r(x_c)
    others:   energy(y) = -log p_r(x_c) + log p_0(x_c | y) - log N(y; M^{1/2} v(x_c), 1) - log |G| p(1 | y)

at x_c drawn from p_0(. | y) and held, whose gradient is that of minus the log of the marginal density of y up
to the score of p_0, which vanishes in the mean where p_0 is exact. Minus the loss is then a bound on log 1 =
0; the weights know nothing of it.
"""

from __future__ import annotations

from typing import ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgphys.edg.core.model import check_no_condition
from edgphys.edg.field.hartree import phi4_stiffness, soft_spin_gaussian
from edgphys.edg.refinement.classes import Classes
from edgphys.edg.refinement.coarse_relaxation import CoarseRelaxation, fit_pair_couplings
from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.edg.refinement.law import AbstractVectorLaw
from edgphys.edg.refinement.model import Refinement
from edgphys.edg.refinement.phase_frame import AbstractPhaseFrame
from edgphys.edg.targets.base import AbstractLatticeTarget
from edgphys.edg.targets.gaussian_start import GaussianStart, choose_start
from edgphys.edg.targets.ising import tilted_start
from edgphys.edg.targets.sublattices import restrict_orbits
from edgphys.systems import Phi4
from edgphys.systems.lattice.relaxation import LatticeOperator
from lattices import Lattice
from lattices.build import expand
from lattices.numbering import site_index

__all__ = ["Phi4RefinementTarget", "RelaxedRefinementTarget", "fit_relaxation", "root_lattice"]


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


class _RootTarget(AbstractLatticeTarget):
    """What the targets of both families share: the laws, held fixed, and the coarse sites with their orbits.

    Parameters
    ----------
    generator : LatticeGenerator
    """

    exact_energy: ClassVar[bool] = False
    breaks_symmetry: ClassVar[bool] = True
    laws: LatticeGenerator
    relaxation: CoarseRelaxation | None
    n_calls: Tensor

    def __init__(self, generator: LatticeGenerator) -> None:
        super().__init__()
        self.laws = generator.requires_grad_(False)
        self.system = generator.system
        classes = self.refinement.classes
        self.n_dims = len(classes.root)
        coarse, sites = root_lattice(classes)
        self.orbits = restrict_orbits(coarse.pair_orbits(), sites)
        self.register_buffer("n_calls", torch.zeros((), dtype=torch.int64))

    @property
    def refinement(self) -> Refinement:
        """Laws of all other sites."""
        return self.laws.refinement

    def witnesses(self) -> Tensor | None:
        return self.laws.witnesses if len(self.laws.witnesses) else None

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.laws.device


@final
class Phi4RefinementTarget(_RootTarget):
    """phi^4 on the coarse sites of a refinement; see the module docstring."""

    system: Phi4

    def __init__(self, generator: LatticeGenerator) -> None:
        super().__init__(generator)
        system, self.symmetric, self.relaxation = self.system, True, None
        signs = system.lattice.bipartition
        pattern = np.ones(system.n_sites) if system.hop >= 0.0 or signs is None else signs.astype(float)
        self.pattern = pattern[self.refinement.classes.root]

    def energy(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """-log p_r(x_c)."""
        check_no_condition(condition)
        return -self.laws.root.log_prob(x)

    @torch.no_grad()
    def lift(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw the rest of the lattice."""
        field, log_prob = self.refinement.sample(x.double(), generator)
        return -self.system.reduced_energy(field) - log_prob, field.to(x.dtype)

    @torch.no_grad()
    def lower(self, configurations: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The coarse part of the configuration."""
        field = configurations.double()
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
class RelaxedRefinementTarget(_RootTarget):
    """Softened coarse spins, states or angles of a refinement; see the module docstring.

    Parameters
    ----------
    generator : LatticeGenerator
        Of a system whose sites have an `AbstractVectorLaw`.
    relaxation : CoarseRelaxation
        Of its coarse sites.
    frame : AbstractPhaseFrame, optional
        Of its phases.
    """

    relaxation: CoarseRelaxation
    start_mean: Tensor
    start_covariance: Tensor

    def __init__(
        self,
        generator: LatticeGenerator,
        relaxation: CoarseRelaxation,
        frame: AbstractPhaseFrame | None = None,
    ) -> None:
        super().__init__(generator)
        n_sites, n_components = self.n_dims, relaxation.law.n_components
        self.relaxation, self.frame = relaxation, frame
        self.n_dims = n_components * n_sites
        self.symmetric = n_components == 1 and "z2" in self.system.symmetries
        self.pattern = np.repeat(np.eye(n_components)[0], n_sites)
        self.orbits = _orbits_of_components(self.orbits, n_components)
        self.register_buffer("start_mean", torch.zeros(self.n_dims, dtype=torch.float64))
        self.register_buffer("start_covariance", torch.eye(self.n_dims, dtype=torch.float64))

    @torch.no_grad()
    def fit_start(self, coarse: Tensor, generator: torch.Generator) -> None:
        """Sharpness of the frame, and the Gaussian start of several components, from coarse draws."""
        y = self.relaxation.soften(coarse.double(), generator)
        if self.frame is not None:
            self.frame.fit(y)
            y = self.frame.turn(y, generator)
        self.start_mean.copy_(torch.from_numpy(self.pattern).to(y) * y.mean(0))
        off = y - self.start_mean
        n_components = self.relaxation.law.n_components
        self.start_covariance.copy_(_averaged(off.T @ off / len(y), self.orbits, n_components))

    def energy(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """At coarse sites drawn and held."""
        check_no_condition(condition)
        generator = _generator_of_call(self.n_calls, x.device)
        with torch.no_grad():
            coarse = self.relaxation.draw(x.detach(), generator)
            log_prob = self.laws.root.log_prob(coarse)
        given = self.relaxation.log_prob(coarse, x) - self.relaxation.log_prob_soft(x, coarse)
        return given - log_prob - self._log_frame(x)

    @torch.no_grad()
    def lift(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw the coarse sites, then the rest."""
        y = x.double()
        coarse = self.relaxation.draw(y, generator)
        sites, log_prob = self.refinement.sample(coarse, generator)
        log_density = self._log_density(y, sites, log_prob) + self._log_frame(y)
        return log_density, sites.flatten(1).to(x.dtype)

    @torch.no_grad()
    def lower(self, configurations: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """y of the coarse part of the configuration, turned to the first phase.

        The density is that of configuration and y before they are turned together: no part of it changes.
        """
        sites = self.relaxation.law.by_site(configurations.double())
        y = self.relaxation.soften(self.refinement.restrict(sites), generator)
        log_density = self._log_density(y, sites, self.refinement.log_density(sites))
        if self.frame is not None:
            y = self.frame.turn(y, generator)
        return y.to(configurations.dtype), log_density + self._log_frame(y)

    def _log_frame(self, y: Tensor) -> Tensor | float:
        return 0.0 if self.frame is None else self.frame.log_prob(y)

    def _log_density(self, y: Tensor, sites: Tensor, log_prob: Tensor) -> Tensor:
        coarse = self.refinement.restrict(sites)
        given = self.relaxation.log_prob_soft(y, coarse) - self.relaxation.log_prob(coarse, y)
        return given - self.system.action(sites.flatten(1)) - log_prob

    def gaussian_start(self) -> GaussianStart:
        """Of one component the better self-consistent Gaussian, else that of draws in the frame.

        The labels are then one phase, and, closer to disorder, two more Gaussians of the same covariance.
        """
        matrix = self.relaxation.root.cpu().numpy()
        if self.symmetric:
            return choose_start(
                self, [soft_spin_gaussian(matrix, 0.0, broken=broken) for broken in (False, True)]
            )
        if self.relaxation.law.n_components == 1:
            return tilted_start(self, matrix, float(self.relaxation.field))
        mean, covariance = self.start_mean.cpu().numpy(), self.start_covariance.cpu().numpy()
        return GaussianStart(mean, covariance, covariance, -2.0, -0.5, -2.0)


def _orbits_of_components(orbits: NDArray[np.int64], n_components: int) -> NDArray[np.int64]:
    """Pairs of components on pairs of sites: the first, along the order, is unlike all others."""
    first, same = np.arange(n_components) == 0, np.eye(n_components, dtype=np.int64)
    kinds = same + 2 * (first[:, None].astype(np.int64) + first)
    labels = kinds[:, None, :, None] * (int(orbits.max()) + 1) + orbits[None, :, None, :]
    n = n_components * len(orbits)
    return np.unique(labels, return_inverse=True)[1].reshape(n, n)


def _averaged(covariance: Tensor, orbits: NDArray[np.int64], n_components: int) -> Tensor:
    """Its mean on every orbit, and nothing between components."""
    labels = torch.from_numpy(orbits).to(covariance.device).flatten()
    sums = covariance.new_zeros(int(orbits.max()) + 1).index_add(0, labels, covariance.flatten())
    mean = (sums / torch.bincount(labels))[labels].reshape(covariance.shape)
    n_sites = len(orbits) // n_components
    return mean * torch.kron(torch.eye(n_components), torch.ones(n_sites, n_sites)).to(mean)


def fit_relaxation(generator: LatticeGenerator, coarse: Tensor, width: int, seed: int) -> CoarseRelaxation:
    """The relaxation whose M fits coarse draws, shape (n_samples, n_root)."""
    law = generator.refinement.law
    assert isinstance(law, AbstractVectorLaw)
    lattice, sites = root_lattice(generator.refinement.classes)
    orbits = restrict_orbits(lattice.pair_orbits(), sites)
    in_field = "z2" not in generator.system.symmetries
    couplings, field = fit_pair_couplings(law, coarse.cpu(), orbits, with_field=in_field)
    return CoarseRelaxation(law, couplings, field, width=width, seed=seed)
