# SPDX-License-Identifier: MIT
"""The law of one of q states given what is known: log p(k) = a_k + local(k) - log sum_l exp(a_l + local(l)).

The log-weights a_k are learned, or exact, with a_k = pair sum_j w_ij E(k, s_j), E the table of the energies
of one bond and pair = -beta, the heat bath. The message of a state s is the column E(., s) of the table.

Where the table of bonds is a scalar product, up to the sign and energies of single states,

    E(k, l) = a_k + a_l -+ c v_k . v_l ,      sum_k v_k = 0 ,      max |v_k| = 1 ,

states have the vectors v: the corners of a simplex for Potts, of a polygon for clocks, the values for
Blume-Capel.

States are numbers 0 .. q-1. The network is equivariant under all permutations of states that the tables
allow, see `edgphys.edg.refinement.states_network`.
"""

from __future__ import annotations

from typing import ClassVar, final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from edgphys.edg.refinement.law import AbstractVectorLaw, spread
from edgphys.edg.refinement.states_network import StatesNetwork, kinds_of_pairs

__all__ = ["StatesLaw", "vectors_of"]


def vectors_of(bonds: NDArray[np.float64]) -> NDArray[np.float64]:
    """The vectors v of the module docstring, shape (n_components, q), that of state 0 along the first axis.

    None of them, shape (0, q), where the table is no scalar product.

    Examples
    --------
    >>> vectors_of(-np.eye(3)).round(6).T.tolist()[0], vectors_of(np.diag([1.0, -1.0, 0.0])).shape
    ([1.0, 0.0], (0, 3))
    """
    centred = bonds - bonds.mean(0) - bonds.mean(1)[:, None] + bonds.mean()
    sizes, axes = np.linalg.eigh(centred)
    there = np.abs(sizes) > 1e-10 * max(float(np.abs(bonds).max()), 1e-300)
    if not there.any() or np.ptp(np.sign(sizes[there])) > 0.0:
        return np.zeros((0, len(bonds)))
    vectors = np.sqrt(np.abs(sizes[there]))[:, None] * axes[:, there].T
    vectors /= np.linalg.norm(vectors, axis=0).max()
    if not vectors[:, 0].any():
        return vectors
    # The reflection that takes the first vector to the first axis.
    unit = np.eye(len(vectors))[0]
    normal = vectors[:, 0] - np.linalg.norm(vectors[:, 0]) * unit
    square = float(normal @ normal)
    return vectors if square < 1e-24 else vectors - 2.0 / square * np.outer(normal, normal @ vectors)


@final
class StatesLaw(AbstractVectorLaw):
    """States of one system; see the module docstring.

    Parameters
    ----------
    beta : float
    bonds : float64 array, shape (q, q)
        Energies of one bond; symmetric.
    sites : float64 array, shape (q,)
        Energies of one site.

    Examples
    --------
    >>> law = StatesLaw(1.0, -np.eye(3), np.zeros(3))
    >>> x = torch.tensor([2.0], dtype=torch.float64)
    >>> round(float(law.log_prob(x, torch.zeros(1, 3, dtype=torch.float64)).exp()), 6)
    0.333333
    """

    by_coupling: ClassVar[tuple[str, ...]] = ("pair",)
    bonds: Tensor
    sites: Tensor
    vectors: Tensor

    def __init__(self, beta: float, bonds: NDArray[np.float64], sites: NDArray[np.float64]) -> None:
        super().__init__()
        self.pair, self.n_states, self.kinds = -float(beta), len(sites), kinds_of_pairs(bonds, sites)
        grid = torch.arange(self.n_states, dtype=torch.float64)
        vectors = vectors_of(bonds)
        self.n_components = len(vectors)
        values = {
            "bonds": torch.from_numpy(bonds),
            "sites": torch.from_numpy(sites),
            "vectors": torch.from_numpy(vectors),
            "grid": grid,
        }
        for name, value in values.items():
            self.register_buffer(name, value, persistent=False)

    def network(self, n_inputs, n_edges, width, generator, *, n_stacked=None, n_bumps=0):
        """Equivariant under the permutations that leave both tables alone."""
        more = {"n_stacked": n_stacked, "n_bumps": n_bumps}
        return StatesNetwork(n_inputs, n_edges, self.kinds, width, generator, **more)

    def seen(self, x: Tensor) -> Tensor:
        """Indicators of the states less their mean 1/q, shape (q, ...)."""
        states = self.grid.to(x.dtype).reshape(-1, *[1] * x.dim())
        return (states == x).float() - 1.0 / self.n_states

    def message(self, x: Tensor) -> Tensor:
        """Energies of a bond by the state at its other end, shape (q, ...)."""
        return self.bonds.to(x.dtype).index_select(1, x.long().reshape(-1)).unflatten(1, x.shape)

    def bond(self, x: Tensor, y: Tensor) -> Tensor:
        """E(x, y)."""
        return self.bonds.to(x.dtype).take(x.long() * self.n_states + y.long())

    def coupled(self, x: Tensor, neighbour_sum: Tensor) -> Tensor:
        return spread(self.pair, x) * neighbour_sum.gather(0, x.long()[None])[0]

    def log_prob(self, x: Tensor, *coefficients: Tensor) -> Tensor:
        """Of logits, shape (..., q)."""
        return _chosen(self._log_probs(coefficients[0].to(x.dtype)), x)

    def draw(self, *coefficients) -> tuple[Tensor, Tensor]:
        """States and their log-probability."""
        logits, generator = coefficients
        log_probs = self._log_probs(logits)
        x = _states(log_probs, generator)
        return x, _chosen(log_probs, x)

    def moments(self, x: Tensor) -> Tensor:
        """Indicators of the states, shape (..., q)."""
        return (x[..., None] == self.grid.to(x.dtype)).to(x.dtype)

    def mean_log_prob(self, moments: Tensor, *coefficients: Tensor) -> Tensor:
        """sum_k <1(s = k)> log p(k)."""
        (logits,) = coefficients
        return (moments.to(logits) * self._log_probs(logits)).sum(-1)

    def local(self, x: Tensor) -> Tensor:
        """-beta times the energy of the site."""
        return spread(self.pair, x) * self.sites.to(x.dtype).take(x.long())

    def log_normaliser(self, neighbour_sum: Tensor) -> Tensor:
        """log sum_k exp(local(k) + pair s_k)."""
        return torch.logsumexp(self._given(neighbour_sum), 0)

    def log_normaliser_on_grid(self, neighbour_sum: Tensor, times: Tensor) -> Tensor:
        """Summed over states, the first of q + 1 dimensions."""
        table = self.bonds.to(neighbour_sum)[:, None, None, :]
        return self.log_normaliser(neighbour_sum[..., None] + times[:, None].to(table) * table)

    def log_weight_on_grid(self, field: Tensor) -> Tensor:
        return self._given(field).movedim(0, -1)

    def draw_exact(self, neighbour_sum: Tensor, generator: torch.Generator) -> Tensor:
        """The heat bath."""
        given = self._given(neighbour_sum).movedim(0, -1)
        return _states(nn.functional.log_softmax(given, -1), generator)

    def vector(self, x: Tensor) -> Tensor:
        """v, shape (n_components, ...)."""
        return self.vectors.to(x.dtype).index_select(1, x.long().reshape(-1)).unflatten(1, x.shape)

    def seen_field(self, field: Tensor) -> Tensor:
        """Log-weights of the states, whose sum is 0, shape (q, ...)."""
        return torch.einsum("ck,c...->k...", self.vectors.to(field), field).float()

    def in_field(self, coefficients, field, shift):
        (logits,) = coefficients
        vectors = self.vectors.to(field)
        own = 0.5 * shift * vectors.square().sum(0)
        return (torch.einsum("ck,c...->...k", vectors, field) - own + logits,)

    def _given(self, neighbour_sum: Tensor) -> Tensor:
        """Log-weights of the states, along the first dimension as the sum of the messages."""
        sites = self.sites.to(neighbour_sum).reshape(-1, *[1] * (neighbour_sum.dim() - 1))
        return spread(self.pair, neighbour_sum[0]) * (neighbour_sum + sites)

    def _log_probs(self, logits: Tensor) -> Tensor:
        local = spread(self.pair, logits) * self.sites.to(logits)
        return nn.functional.log_softmax(logits + local, -1)


def _chosen(log_probs: Tensor, x: Tensor) -> Tensor:
    return log_probs.gather(-1, x.long()[..., None])[..., 0]


def _states(log_probs: Tensor, generator: torch.Generator) -> Tensor:
    """By inversion, in the dtype of `log_probs`; uniforms as in `spin_law`."""
    cumulative = log_probs.detach().double().exp().cumsum(-1)
    like = {"generator": generator, "dtype": torch.float64, "device": cumulative.device}
    level = torch.rand((*cumulative.shape[:-1], 1), **like)
    # Below 1, and compared with the q - 1 inner steps: never beyond the last state.
    return (level >= cumulative[..., :-1]).sum(-1).to(log_probs.dtype)
