# SPDX-License-Identifier: MIT
r"""The law of one angle of an energy of one's own, whose functions are finite sums of cosines and sines.

With y = fold x, and the terms f_r of `edgphys.systems.lattice.angle_harmonics`, the density given all
neighbours has the exponent

    h(y) = unit sum_r s_r f_r(y) + pair sum_rt f_r(y) B_rt sum_j w_ij f_t(y_j) ,

unit = -beta and pair = -beta J. Its integral is the trapezoid rule's to rounding, draws are those of
`draw_harmonics`: exact. A learned density has the site's own part of h and learned harmonics of y, as in
`edgphys.edg.refinement.angle_law`: at least four, and those of the bonds, each with a linear part of its own,
so that the exact form is among them. The message of an angle is B f.

Networks turn and reflect with what they see as far as the energy does.
"""

from __future__ import annotations

import math
from typing import ClassVar, final

import numpy as np
import torch
from torch import Tensor, nn

from edgphys.edg.refinement.angle_law import N_HARMONICS, node_counts
from edgphys.edg.refinement.angle_network import AngleNetwork
from edgphys.edg.refinement.circle_table import CircleTable, circle, draw_harmonics, harmonics_of, wrapped
from edgphys.edg.refinement.law import AbstractLaw, spread
from edgphys.systems.lattice.angle_harmonics import AngleHarmonics

__all__ = ["CircleLaw"]

_MOST_LEARNED = 12


@final
class CircleLaw(AbstractLaw):
    """Angles of one system, in [-pi, pi); see the module docstring.

    Parameters
    ----------
    energy : AngleHarmonics
    beta : float
    factor : float
        J, of all bonds.
    curvature : float
        Bound on the second derivative of h, for the number of nodes.

    Examples
    --------
    >>> import numpy as np
    >>> from edgphys.systems.lattice.angle_harmonics import angle_harmonics
    >>> law = CircleLaw(angle_harmonics(lambda x: 0 * x, lambda x, y: -np.cos(x - y)), 0.5, 1.0, 4.0)
    >>> x, none = torch.tensor([2.0], dtype=torch.float64), torch.zeros(1, 4, dtype=torch.float64)
    >>> round(float(law.log_prob(x, none, none)), 6)  # -log 2 pi
    -1.837877
    """

    by_coupling: ClassVar[tuple[str, ...]] = ("pair", "unit")
    multiples: Tensor
    phases: Tensor
    sites: Tensor
    bonds: Tensor
    to_harmonics: Tensor
    nodes: Tensor
    harmonics: Tensor
    grid: Tensor
    powers: Tensor

    def __init__(self, energy: AngleHarmonics, beta: float, factor: float, curvature: float) -> None:
        super().__init__()
        self.pair, self.unit = -float(beta * factor), -float(beta)
        self.fold, self.n_axes, self.curvature = energy.fold, energy.n_axes, curvature
        of_bonds = int(energy.multiples[energy.bond.any(axis=1)].max(initial=0.0))
        self.n_linear = min(max(of_bonds, 1), _MOST_LEARNED)
        self.n_learned = max(N_HARMONICS, self.n_linear)
        self.n_all = max(self.n_learned, int(energy.multiples.max()))
        # The constant is none of the harmonics.
        place = energy.multiples - 1 + np.where(energy.phases > 0.0, self.n_all, 0)
        to_harmonics = np.zeros((2 * self.n_all, len(place)))
        is_term = energy.multiples > 0.0
        to_harmonics[place[is_term].astype(int), np.flatnonzero(is_term)] = 1.0
        n_nodes, n_grid = (
            max(n, 8 * self.n_all // k) for n, k in zip(node_counts(curvature), (1, 2), strict=True)
        )
        nodes, grid = circle(n_nodes), circle(n_grid)
        buffers = {
            "multiples": torch.from_numpy(energy.multiples),
            "phases": torch.from_numpy(energy.phases),
            "sites": torch.from_numpy(energy.site),
            "bonds": torch.from_numpy(energy.bond),
            "to_harmonics": torch.from_numpy(to_harmonics),
            "nodes": nodes,
            "harmonics": harmonics_of(nodes, self.n_all).T,
            # Of x: one of the `fold` parts of the circle, which are alike.
            "grid": grid / self.fold,
            "powers": harmonics_of(grid, self.n_all).T.float(),
        }
        for name, value in buffers.items():
            self.register_buffer(name, value, persistent=False)

    def network(self, n_inputs, n_edges, width, generator, *, n_stacked=None, n_bumps=0):
        """Equivariant under the rotations and reflections that the energy allows."""
        more = {"n_stacked": n_stacked, "n_bumps": n_bumps, "n_axes": self.n_axes, "n_linear": self.n_linear}
        return AngleNetwork(n_inputs, n_edges, self.n_learned, width, generator, **more)

    def seen(self, x: Tensor) -> Tensor:
        """Unit vectors of y, shape (2, ...)."""
        y = self.fold * x.float()
        return torch.stack([torch.cos(y), torch.sin(y)])

    def message(self, x: Tensor) -> Tensor:
        """B f, shape (n_terms, ...)."""
        return torch.einsum("rt,t...->r...", self.bonds.to(x), self._terms(x))

    def bond(self, x: Tensor, y: Tensor) -> Tensor:
        """The energy of a bond with J = 1."""
        return (self._terms(x) * self.message(y)).sum(0)

    def coupled(self, x: Tensor, neighbour_sum: Tensor) -> Tensor:
        return spread(self.pair, x) * (self._terms(x) * neighbour_sum).sum(0)

    def log_prob(self, x: Tensor, *coefficients: Tensor) -> Tensor:
        """Log-density of the tabulated law; of cosines and of sines, shape (..., n_learned)."""
        return self._table(*(one.to(x.dtype) for one in coefficients)).log_density(wrapped(self.fold * x))

    def draw(self, *coefficients) -> tuple[Tensor, Tensor]:
        """By inversion."""
        *harmonics, generator = coefficients
        table = self._table(*harmonics)
        y = table.draw(generator)
        return self._on_a_part(y, generator), table.log_density(y)

    def moments(self, x: Tensor) -> Tensor:
        """Cosines, then sines, of the first multiples of y."""
        return harmonics_of(self.fold * x, self.n_all)

    def mean_log_prob(self, moments: Tensor, *coefficients: Tensor) -> Tensor:
        """sum_m a_m <cos m y> + b_m <sin m y> - log Z, without the interpolation between nodes."""
        both = torch.cat(self._complete(*coefficients), dim=-1)
        total = torch.logsumexp(both @ self.powers.to(both), dim=-1)
        return (both * moments.to(both)).sum(-1) - total - math.log(2.0 * math.pi / len(self.grid))

    def local(self, x: Tensor) -> Tensor:
        """-beta times the energy of the site."""
        return spread(self.unit, x) * torch.einsum("r,r...->...", self.sites.to(x), self._terms(x))

    def log_normaliser(self, neighbour_sum: Tensor) -> Tensor:
        """By the trapezoid rule, which converges exponentially."""
        height = self._on(self.nodes / self.fold, self._given(neighbour_sum))
        return torch.logsumexp(height, -1) + math.log(2.0 * math.pi / len(self.nodes))

    def log_normaliser_on_grid(self, neighbour_sum: Tensor, times: Tensor) -> Tensor:
        """By the trapezoid rule on the grid: a matrix product for each weight that occurs."""
        height = self._on(self.grid, self._given(neighbour_sum))
        top = height.amax(dim=-1, keepdim=True)
        weight, total = torch.exp(height - top), torch.empty_like(height)
        pairs = self._on(self.grid, self.message(self.grid.to(height)))[None]
        for one in times.unique().tolist():
            here = times == one
            total[..., here, :] = weight[..., here, :] @ torch.exp(spread(self.pair, pairs) * one * pairs)
        return torch.log(total.clamp(min=1e-37)) + top + math.log(2.0 * math.pi / len(self.grid))

    def log_weight_on_grid(self, field: Tensor) -> Tensor:
        return self._on(self.grid, self._given(field))

    def draw_exact(self, neighbour_sum: Tensor, generator: torch.Generator) -> Tensor:
        """By rejection."""
        given = self._given(neighbour_sum.double())
        cosines, sines = torch.einsum("kr,r...->...k", self.to_harmonics, given).chunk(2, dim=-1)
        y = draw_harmonics(self.harmonics, cosines, sines, generator)
        return self._on_a_part(y, generator).to(neighbour_sum.dtype)

    def _terms(self, x: Tensor) -> Tensor:
        """f_r, shape (n_terms, ...)."""
        multiples, phases = (
            one.to(x).reshape(-1, *[1] * x.dim()) for one in (self.fold * self.multiples, self.phases)
        )
        return torch.cos(multiples * x - phases)

    def _given(self, neighbour_sum: Tensor) -> Tensor:
        """Coefficients of h, shape (n_terms, ...)."""
        first = neighbour_sum[0]
        sites = self.sites.to(neighbour_sum).reshape(-1, *[1] * first.dim())
        return spread(self.pair, first) * neighbour_sum + spread(self.unit, first) * sites

    def _on(self, x: Tensor, terms: Tensor) -> Tensor:
        """Sums of terms at some angles, (n_terms, ...) -> (..., n_angles)."""
        return torch.einsum("r...,rg->...g", terms, self._terms(x.to(terms)))

    def _table(self, cosines: Tensor, sines: Tensor) -> CircleTable:
        return CircleTable(self.harmonics, *self._complete(cosines, sines))

    def _complete(self, cosines: Tensor, sines: Tensor) -> tuple[Tensor, Tensor]:
        """With the site's own harmonics: sites without neighbours follow these alone."""
        own = spread(self.unit, cosines) * (self.to_harmonics @ self.sites).to(cosines)
        missing = (0, self.n_all - self.n_learned)
        first, second = (nn.functional.pad(one, missing) for one in (cosines, sines))
        return first + own[..., : self.n_all], second + own[..., self.n_all :]

    def _on_a_part(self, y: Tensor, generator: torch.Generator) -> Tensor:
        """An angle x with fold x = y, any of them."""
        if self.fold == 1:
            return y
        part = torch.randint(self.fold, y.shape, generator=generator, device=y.device)
        return wrapped((y + 2.0 * math.pi * part) / self.fold)
