# SPDX-License-Identifier: MIT
"""Three systems as a user writes them: discrete, continuous with a kernel, a real field on a lattice.

`opened` lifts what keeps users from deriving from a class that ships.
"""

from __future__ import annotations

import contextlib
import math

import numpy as np
import torch
from numba import njit

from edgphys.systems import AbstractContinuousSystem, AbstractLatticeSystem, LatticeOperator

__all__ = ["BeadSpringChain", "BlumeCapel", "GaussianField", "opened"]


@contextlib.contextmanager
def opened(kind):
    """A final class from which one may derive meanwhile."""
    del kind.__final__
    try:
        yield
    finally:
        kind.__final__ = True


class BlumeCapel(AbstractLatticeSystem):
    """H = -J sum_<ij> s_i s_j + D sum_i s_i^2, s = -1, 0 or 1, in a continuous form.

    With M = beta J A + a 1 and x = M^{1/2} y, as for the Ising model,

        U(y) = |y|^2 / 2 - sum_i log(1 + 2 exp(-a / 2 - beta D) cosh x_i) + (N / 2) log 2 pi
        p(s_i | y) = exp(s_i x_i - (a / 2 + beta D) s_i^2) / its sum,     y | s ~ N(M^{1/2} s, 1)
    """

    name = "blume_capel"
    symmetries = ("translation", "point_group", "z2")

    def __init__(self, lattice, temperature=1.0, coupling=1.0, splitting=0.5):
        self.lattice, self.temperature, self.splitting = lattice, temperature, splitting
        self.parameters = {"temperature": temperature, "coupling": coupling, "splitting": splitting}
        coupled = LatticeOperator.from_adjacency(lattice, lambda w: self.beta * coupling * w)
        shift = 0.01 - float(coupled.values.min())
        self._root = coupled.function(lambda w: np.sqrt(np.maximum(w + shift, 0.0)))
        self._cost = 0.5 * shift + self.beta * splitting

    def _exponents(self, y):
        """Logarithms of the weights of s = -1, 0, 1 on every site, shape (n_batch, n_sites, 3)."""
        x = self._root.apply(y)
        return torch.stack([-x - self._cost, torch.zeros_like(x), x - self._cost], dim=2)

    def reduced_energy(self, x):
        y = self._field(x)
        sums = 0.5 * y.square() - self._exponents(y).logsumexp(2)
        return sums.sum(1) + 0.5 * self.n_sites * math.log(2.0 * math.pi)

    def to_configurations(self, x, generator=None):
        shares = self._exponents(self._field(x)).softmax(2).reshape(-1, 3)
        states = torch.multinomial(shares, 1, generator=generator) - 1
        return states.to(x).reshape(-1, *self.event_shape)

    def from_configurations(self, configurations, generator=None):
        mean = self._root.apply(self._field(configurations))
        return mean + torch.randn(mean.shape, generator=generator, dtype=mean.dtype, device=mean.device)

    def _energy(self, flat):
        first, second = self.lattice.bonds.T.astype(np.int64)
        pairs = (flat[:, first] * flat[:, second]).sum(1)
        return self.splitting * flat.square().sum(1) - self.parameters["coupling"] * pairs


class BeadSpringChain(AbstractContinuousSystem):
    """E = spring / 2 sum_i (|x_i - x_{i-1}| - length)^2 in the plane, held at x_{-1} = 0.

    Bonds are independent: log Z = n_beads log int exp(-spring (r - length)^2 / 2 T) 2 pi r dr.
    """

    name = "bead_spring"
    formula = "spring/2 sum_i (|x_i - x_(i-1)| - length)^2, x_(-1) = 0"
    observables = ("end_to_end_2",)

    def __init__(self, n_beads=3, temperature=1.0, spring=20.0, length=1.0):
        self.event_shape, self.temperature = (int(n_beads), 2), temperature
        self.spring, self.length = spring, length
        self.parameters = {"n_beads": self.event_shape[0], "temperature": temperature}
        self.parameters |= {"spring": spring, "length": length}

    @property
    def kernel(self):
        return _chain_kernel

    @property
    def kernel_parameters(self):
        return np.array([self.spring, self.length])

    def _energy(self, flat):
        beads = flat.reshape(len(flat), *self.event_shape)
        bonds = torch.diff(beads, dim=1, prepend=torch.zeros_like(beads[:, :1]))
        return 0.5 * self.spring * (bonds.norm(dim=2) - self.length).square().sum(1)

    def _measure(self, flat):
        return {"end_to_end_2": np.square(flat[:, -2:]).sum(1)}

    def _exact_moments(self):
        reach = 12.0 * math.sqrt(self.temperature / self.spring)
        low, high = max(0.0, self.length - reach), self.length + reach
        nodes, weights = np.polynomial.legendre.leggauss(200)
        r = 0.5 * (high + low + (high - low) * nodes)
        energy = 0.5 * self.spring * (r - self.length) ** 2
        density = 0.5 * (high - low) * weights * 2.0 * math.pi * r * np.exp(-self.beta * energy)
        z, n = density.sum(), self.event_shape[0]
        mean = density @ energy / z
        return n * math.log(z), n * mean, n * (density @ (energy - mean) ** 2 / z)


@njit(nogil=True)
def _chain_kernel(x, gradient_out, parameters):
    energy, before_x, before_y = 0.0, 0.0, 0.0
    gradient_out[:] = 0.0
    for i in range(0, x.size, 2):
        u, v = x[i] - before_x, x[i + 1] - before_y
        r = math.sqrt(u * u + v * v)
        stretch = parameters[0] * (r - parameters[1])
        energy += 0.5 * stretch * (r - parameters[1])
        for k, step in ((0, u), (1, v)):
            gradient_out[i + k] += stretch * step / r
            if i:
                gradient_out[i + k - 2] -= stretch * step / r
        before_x, before_y = x[i], x[i + 1]
    return energy


class GaussianField(AbstractLatticeSystem):
    """E = 1/2 sum_<ij> (x_i - x_j)^2 + mass/2 sum_i x_i^2: real variables, for the chains of that family."""

    name = "gaussian_field"
    family = "continuous"
    symmetries = ("translation", "point_group", "z2")

    def __init__(self, lattice, temperature=1.0, mass=1.0):
        self.lattice, self.temperature, self.mass = lattice, temperature, mass
        self.parameters = {"temperature": temperature, "mass": mass}

    def reduced_energy(self, x):
        return self.beta * self._energy(self._field(x))

    def _energy(self, flat):
        first, second = self.lattice.bonds.T.astype(np.int64)
        steps = flat[:, first] - flat[:, second]
        return 0.5 * steps.square().sum(1) + 0.5 * self.mass * flat.square().sum(1)
