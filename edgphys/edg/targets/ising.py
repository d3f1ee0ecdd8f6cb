# SPDX-License-Identifier: MIT
r"""Ising models as targets: two exact continuous forms.

**Relaxation** (any lattice): the whitened field y of `Ising`, one variable per site, all spins summed.

**Decimation** (bipartite lattices, half the variables). Let A, B be the sublattices, K = beta J. Summing the
spins of B exactly leaves prod_b f(m_b) with f(m) = 2 cosh(K m + beta h) and m_b = sum_{a ~ b} s_a. Split

    log f(m) = tilt m + alpha m^2 / 2 + r(m)

for any alpha > 0 and tilt, take the square apart with one Gaussian soft spin y_b per site of B, and sum the
spins of A:

    U(y) = |y|^2 / 2 - sum_a log 2 cosh(x_a) + (n / 2) log 2 pi,
    x_a  = beta h + sum_{b ~ a} (tilt + sqrt(alpha) y_b),
    p(s_A | y) = prod_a exp(s_a x_a) / 2 cosh(x_a),
    Z = int dy exp(-U(y)) < exp(R(s_A)) >_{s_A | y},      R = sum_b r(m_b) .

On chains and honeycombs (m takes one or two absolute values) R is constant for the right alpha; elsewhere it
is small: the four-spin interaction that decimation makes. Training uses the bound ``log <exp R> >= <R>``, in
closed form, because m_b is a sum of independent spins; sampling averages exp(R) over several draws of s_A and
keeps one of them with probability proportional to exp(R), which is unbiased for any number of draws. alpha
and tilt are trained with the networks; Z does not depend on them.

References
----------
Hubbard, Phys. Rev. Lett. 3, 77 (1959); Fisher, Phys. Rev. 113, 969 (1959) (decimation).
"""

from __future__ import annotations

import math
from typing import Any, ClassVar, final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from edgphys.edg.core.model import check_no_condition
from edgphys.edg.field.hartree import soft_spin_gaussian
from edgphys.edg.targets.base import AbstractLatticeTarget, partial_sums
from edgphys.edg.targets.gaussian_start import GaussianStart, choose_start, choose_tilted_start
from edgphys.edg.targets.sublattices import exchange, pair_orbits_of, restrict_orbits
from edgphys.systems import Ising
from edgphys.systems.base import AbstractSystem
from edgphys.systems.lattice.ising import log_2cosh

__all__ = ["IsingDecimationTarget", "IsingRelaxationTarget", "tilted_start"]


def tilted_start(target: AbstractLatticeTarget, matrix: np.ndarray, bias: float) -> GaussianStart:
    """In a field: the solutions with the spins up and down, and the symmetric one without it for the rest."""
    plus, minus = (soft_spin_gaussian(matrix, bias, broken=True, order=order) for order in (1.0, -1.0))
    return choose_tilted_start(target, plus, minus, soft_spin_gaussian(matrix, 0.0, broken=False)[1])


@final
class IsingRelaxationTarget(AbstractLatticeTarget):
    """The whitened relaxation of `Ising`, on any lattice.

    Parameters
    ----------
    system : Ising
    """

    name: ClassVar[str] = "relaxation"
    exact_energy: ClassVar[bool] = True
    system: Ising

    @classmethod
    def serves(cls, system: AbstractSystem) -> str | None:
        return None if "spins" in partial_sums(system) else f"the spins of {system.name} cannot be summed"

    def __init__(self, system: Ising) -> None:
        super().__init__()
        self.system, self.n_dims, self.symmetric = system, system.n_sites, "z2" in system.symmetries
        self.orbits = pair_orbits_of(system)
        signs = system.order_signs if self.symmetric else None
        self.pattern = np.ones(self.n_dims) if signs is None else signs.astype(float)
        self.register_buffer("_anchor", torch.zeros(()), persistent=False)

    def energy(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """U(y)."""
        check_no_condition(condition)
        return self.system.reduced_energy(x)

    def lift(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Spins drawn from p(s | y)."""
        spins = self.system.to_configurations(x, generator)
        return -self.system.reduced_energy(x.double()), spins.reshape(len(x), -1)

    def lower(self, configurations: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """y drawn from p(y | s); its marginal density is known exactly."""
        x = self.system.to_field(configurations, generator).reshape(len(configurations), -1)
        return x, -self.system.reduced_energy(x.double())

    def gaussian_start(self) -> GaussianStart:
        """The better of the symmetric and the broken self-consistent Gaussian."""
        identity = torch.eye(self.n_dims, dtype=torch.float64)
        matrix = self.system.fields(identity).numpy()
        bias = self.system.beta * float(self.system.site_fields.mean())
        if not self.symmetric:
            return tilted_start(self, matrix, bias)
        # A frustrated antiferromagnet has no order that keeps the symmetry of the lattice: no broken start.
        frustrated = self.system.order_signs is None
        phases = (False,) if frustrated else (False, True)
        return choose_start(self, [soft_spin_gaussian(matrix, bias, broken=broken) for broken in phases])


@final
class IsingDecimationTarget(AbstractLatticeTarget):
    """Gaussian soft spins on one sublattice of a bipartite lattice; see the module docstring.

    Parameters
    ----------
    system : Ising
        On a lattice with a bipartition and without double bonds.
    n_spin_draws : int
        Draws of the spins over which exp(R) is averaged in `lift`.
    """

    name: ClassVar[str] = "decimation"
    exact_energy: ClassVar[bool] = False
    system: Ising

    @classmethod
    def serves(cls, system: Any) -> str | None:
        if "equal_spins" not in partial_sums(system):
            return f"the spins of {system.name} must have one coupling and one field"
        if system.lattice.bipartition is None or not (system.lattice.adjacency <= 1.0).all():
            return "the lattice must have two sublattices and no double bonds"
        return "the coupling must not be zero" if system.coupling == 0.0 else None

    def __init__(self, system: Ising, n_spin_draws: int = 16) -> None:
        super().__init__()
        lattice, signs = system.lattice, system.lattice.bipartition
        side = 1 if (signs == 1).sum() < (signs == -1).sum() else -1
        soft, spin = np.flatnonzero(signs == side), np.flatnonzero(signs == -side)
        self.system, self.n_dims, self.symmetric = system, len(soft), system.field == 0.0
        self.orbits = restrict_orbits(lattice.pair_orbits(), soft)
        self.pattern = np.ones(self.n_dims)
        self.n_spin_draws = n_spin_draws
        self.reduced_coupling, self.bias = system.beta * system.coupling, system.beta * system.field
        degree = lattice.coordination[soft]
        table = self._log_sums(degree)
        alpha, tilt = self._quadratic_part(int(degree.max()))
        self.log_alpha = nn.Parameter(torch.tensor(math.log(alpha)))
        self.tilt = nn.Parameter(torch.tensor(tilt), requires_grad=not self.symmetric)
        position = np.full(lattice.n_sites, len(spin))  # padding points behind the last spin
        position[spin] = np.arange(len(spin))
        # On open lattices the spins may have more neighbours than any soft spin: no columns of padding only.
        around = lattice.neighbours[soft][:, : degree.max()]
        swap = exchange(system)
        buffers = {
            "incidence": lattice.adjacency[np.ix_(soft, spin)],
            "neighbours": np.where(around >= 0, position[around], len(spin)),
            "sums": 2.0 * np.arange(degree.max() + 1)[None, :] - degree[:, None],
            "log_sums": table,
            "soft": soft,
            "spin": spin,
            "swap": swap,
        }
        for name, value in buffers.items():
            self.register_buffer(name, None if value is None else torch.tensor(value), persistent=False)

    def _log_sums(self, degree: np.ndarray) -> np.ndarray:
        """log f(m) for every soft site and number of neighbours up, shape (n_dims, max degree + 1)."""
        m = 2.0 * np.arange(degree.max() + 1)[None, :] - degree[:, None]
        return np.logaddexp(self.reduced_coupling * m + self.bias, -self.reduced_coupling * m - self.bias)

    def _quadratic_part(self, degree: int) -> tuple[float, float]:
        """alpha and tilt that make r equal at full and at zero alignment: where training starts."""
        up = float(
            np.logaddexp(
                self.reduced_coupling * degree + self.bias, -self.reduced_coupling * degree - self.bias
            )
        )
        down = float(
            np.logaddexp(
                self.reduced_coupling * degree - self.bias, self.bias - self.reduced_coupling * degree
            )
        )
        centre = float(np.logaddexp(self.bias, -self.bias))
        return max(up + down - 2.0 * centre, 1e-6) / degree**2, (up - down) / (2.0 * degree)

    def _spin_fields(self, y: Tensor) -> Tensor:
        """x_a, shape (n_batch, n_spins)."""
        shifted = torch.exp(0.5 * self.log_alpha).to(y.dtype) * y + self.tilt.to(y.dtype)
        return shifted @ self.incidence.to(y.dtype) + self.bias

    def _remainder(self, dtype: torch.dtype) -> Tensor:
        """r(m), shape (n_dims, max degree + 1)."""
        quadratic = 0.5 * torch.exp(self.log_alpha) * self.sums**2 + self.tilt * self.sums
        return (self.log_sums - quadratic).to(dtype)

    def _soft_energy(self, y: Tensor, fields: Tensor) -> Tensor:
        """U(y)."""
        return 0.5 * (y * y).sum(1) - log_2cosh(fields).sum(1) + 0.5 * self.n_dims * math.log(2.0 * math.pi)

    def _mean_remainder(self, fields: Tensor) -> Tensor:
        """<R> over the spins at given y: m_b is a sum of independent spins, its law a polynomial product."""
        # A padded neighbour is never up and counts as none.
        up = F.pad(torch.sigmoid(2.0 * fields), (0, 1))[:, self.neighbours]
        law = [torch.ones_like(up[..., 0])]
        for k in range(up.shape[-1]):
            p = up[..., k]
            stay = [term * (1.0 - p) for term in law]
            move = [term * p for term in law]
            law = [stay[0], *(a + b for a, b in zip(stay[1:], move[:-1], strict=True)), move[-1]]
        remainder = self._remainder(fields.dtype)
        return sum((law[m] * remainder[:, m] for m in range(len(law))), fields.new_zeros(())).sum(1)

    def energy(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        """U(y) - <R>: minus a lower bound on the log-density of y."""
        check_no_condition(condition)
        fields = self._spin_fields(x)
        return self._soft_energy(x, fields) - self._mean_remainder(fields)

    @torch.no_grad()
    def lift(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Spins on both sublattices, and an unbiased estimate of the density of y."""
        y = x.double()
        fields = self._spin_fields(y)
        draws = (self.n_spin_draws, *fields.shape)
        up = self._uniform(draws, generator) < torch.sigmoid(2.0 * fields)
        remainders = self._sum_remainder(up)
        # The draw that stays, with probability proportional to exp(R), by the Gumbel trick.
        gumbel = -torch.log(-torch.log(self._uniform(remainders.shape, generator)))
        chosen = (remainders + gumbel).argmax(0)
        spins = up[chosen, torch.arange(len(y), device=y.device)]
        log_mean = torch.logsumexp(remainders, 0) - math.log(self.n_spin_draws)
        return log_mean - self._soft_energy(y, fields), self._all_spins(spins, generator).to(x.dtype)

    @torch.no_grad()
    def lower(self, configurations: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """y | s_A is Gaussian around sqrt(alpha) m; these spins are one of the draws that `lift` averages.

        The others come from p(s_A | y), as in `lift`: the same extended space from the other side.
        """
        given = configurations[:, self.spin] > 0
        mean = torch.exp(0.5 * self.log_alpha).double() * ((2.0 * given.double() - 1.0) @ self.incidence.T)
        y = mean + torch.randn(mean.shape, generator=generator, dtype=torch.float64, device=mean.device)
        fields = self._spin_fields(y)
        others = (self.n_spin_draws - 1, *fields.shape)
        up = self._uniform(others, generator) < torch.sigmoid(2.0 * fields)
        remainders = self._sum_remainder(torch.cat([given[None], up]))
        log_density = torch.logsumexp(remainders, 0) - math.log(self.n_spin_draws)
        return y.to(configurations.dtype), log_density - self._soft_energy(y, fields)

    def _sum_remainder(self, up: Tensor) -> Tensor:
        """R of given spins, shape (..., n_spins) of bool -> (...), float64."""
        count = F.pad(up, (0, 1))[..., self.neighbours].sum(-1)
        remainder = self._remainder(torch.float64)
        return torch.take_along_dim(
            remainder.expand(*count.shape[:-1], *remainder.shape), count[..., None], -1
        ).sum((-1, -2))

    def _all_spins(self, up: Tensor, generator: torch.Generator) -> Tensor:
        """Add the spins of the other sublattice from their exact heat bath."""
        given = 2.0 * up.double() - 1.0
        fields = self.reduced_coupling * (given @ self.incidence.T) + self.bias
        rest = 2.0 * (self._uniform(fields.shape, generator) < torch.sigmoid(2.0 * fields)).double() - 1.0
        spins = torch.empty(len(up), self.system.n_sites, dtype=torch.float64, device=up.device)
        spins[:, self.spin], spins[:, self.soft] = given, rest
        if self.swap is not None:
            moved = self._uniform((len(up),), generator) < 0.5
            spins[moved] = spins[moved][:, self.swap]
        return spins

    def _uniform(self, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
        # float64: the uniforms of float32 come in steps of 2^-24, too coarse for rare spins.
        return torch.rand(shape, generator=generator, dtype=torch.float64, device=self.incidence.device)

    def gaussian_start(self) -> GaussianStart:
        """The better of the symmetric and the broken self-consistent Gaussian of U."""
        alpha, tilt = math.exp(self.log_alpha.item()), self.tilt.item()
        matrix = math.sqrt(alpha) * self.incidence.cpu().numpy().T
        bias = self.bias + tilt * float(self.incidence.sum(0).mean())
        if not self.symmetric:
            return tilted_start(self, matrix, bias)
        return choose_start(
            self, [soft_spin_gaussian(matrix, bias, broken=broken) for broken in (False, True)]
        )
