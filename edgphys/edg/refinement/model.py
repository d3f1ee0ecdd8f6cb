# SPDX-License-Identifier: MIT
"""All sites of a lattice but the root, drawn from coarse to fine by local laws of known density.

    q(x | x_root) = prod_{i learned} p(x_i | window of i)  prod_{i exact} pi(x_i | neighbours of i)

The classes and their order are those of `split_sites`, the windows those of `windows_of`; each class has one
network for all its sites, so that parameters do not depend on the size of the lattice. Drawing goes class by
class; the density of a given configuration takes no order and is one parallel evaluation.

Configurations are those of the sites, shape (n_batch, n_sites), and with a last dimension of three where each
holds a vector.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from edgphys.edg.core.module import Module
from edgphys.edg.refinement.classes import SiteClass, split_sites
from edgphys.edg.refinement.couplings import Couplings
from edgphys.edg.refinement.law import AbstractLaw, spread
from edgphys.edg.refinement.laws_of import are_alike, field_weights, law_of
from edgphys.edg.refinement.site_means import SiteMeans
from edgphys.edg.refinement.windows import Window, neighbour_table, neighbour_weights, windows_of
from edgphys.systems.lattice.base import AbstractLatticeSystem

__all__ = ["Refinement"]


@final
class Refinement(Module):
    """Classes, windows and laws of a lattice system.

    Parameters
    ----------
    system : AbstractLatticeSystem
    radius : float
        Of the windows, see `windows_of`.
    width : int
        Hidden units of the networks.
    n_colours : int
        Along each axis, see `split_sites`.
    halved : bool, optional
        Whether there are coarser levels, see `split_sites`; default: where all cells are alike.
    form : optional
        Of the laws, see `law_of`.
    n_bumps : int
        By which networks know the coupling; 0 for a system at one coupling.
    seed : int
        Of the initial weights.

    Attributes
    ----------
    couplings : Couplings
        Those of `system`; most methods take others, one for each sample of a batch.
    law : AbstractLaw
        Theirs, shared by all classes; the networks give its coefficients.
    classes : Classes
    networks : ModuleDict
        One per learned class, by its name.
    means : SiteMeans
        Of its sites.
    """

    root: Tensor
    exact: Tensor
    inner: Tensor
    inner_bonds: Tensor
    around_exact: Tensor
    inner_weights: Tensor | None
    weights_around: Tensor | None
    field_weights: Tensor | None

    def __init__(
        self,
        system: AbstractLatticeSystem,
        *,
        radius: float = 4.0,
        width: int = 48,
        n_colours: int = 2,
        halved: bool | None = None,
        form: Any = None,
        n_bumps: int = 0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.system, self.radius = system, float(radius)
        self.law: AbstractLaw = law_of(system, form)
        self.bump: Tensor | None = None
        halved = are_alike(system) if halved is None else halved
        self.classes = split_sites(system.lattice, n_colours, halved=halved)
        fields = field_weights(system)
        self.means = SiteMeans(self.classes, system.pair_weights, fields)
        generator = torch.Generator().manual_seed(seed)
        self.networks = nn.ModuleDict()
        for number, window in enumerate(windows_of(self.classes, radius)):
            sizes = (window.table.shape[1], window.edges.shape[1], width)
            network = self.law.network(*sizes, generator, n_bumps=n_bumps)
            self.networks[_key(self.classes.learned[number])] = network
            self._register(number, window)
        lattice, exact = system.lattice, self.classes.exact
        inner = np.setdiff1d(np.arange(lattice.n_sites), exact)
        is_inner, weights = ~np.isin(lattice.bonds, exact).any(axis=1), system.pair_weights
        bonds = lattice.bonds[is_inner]
        buffers = {
            "root": self.classes.root,
            "exact": exact,
            "inner": inner,
            "inner_bonds": np.ascontiguousarray(bonds.T.astype(np.int64)),
            "around_exact": neighbour_table(lattice, exact),
        }
        for name, value in buffers.items():
            self.register_buffer(name, torch.from_numpy(value), persistent=False)
        # Of these bonds, and of the fields, where they are not all alike.
        around = neighbour_weights(lattice, exact, weights)
        of_bonds = {
            "inner_weights": None if weights is None else torch.from_numpy(weights[is_inner]),
            "weights_around": None if around is None else torch.from_numpy(around),
            "field_weights": None if fields is None else torch.from_numpy(fields),
        }
        for name, value in of_bonds.items():
            self.register_buffer(name, value, persistent=False)

    def _register(self, number: int, window: Window) -> None:
        edges = torch.from_numpy(window.edges) if window.edges.shape[1] else None
        self.register_buffer(f"_sites_{number}", torch.from_numpy(window.sites), persistent=False)
        self.register_buffer(f"_table_{number}", torch.from_numpy(window.table), persistent=False)
        self.register_buffer(f"_edges_{number}", edges, persistent=False)

    @property
    def couplings(self) -> Couplings:
        """Those of `system`."""
        return Couplings(self.law, self.bump)

    def at(self, system: AbstractLatticeSystem, couplings: Couplings) -> Refinement:
        """The same laws for a system at other couplings."""
        other = self.twin()
        other.system, other.law, other.bump = system, couplings.law, couplings.bump
        return other

    @property
    def n_sites(self) -> int:
        """Sites of the whole lattice."""
        return self.system.lattice.n_sites

    @property
    def n_classes(self) -> int:
        """Learned classes."""
        return len(self.classes.learned)

    def restrict(self, configurations: Tensor) -> Tensor:
        """The root's part, shape (n_batch, n_sites) -> (n_batch, n_root)."""
        return configurations[:, self.root]

    @torch.no_grad()
    def sample(
        self, coarse: Tensor, generator: torch.Generator, couplings: Couplings | None = None
    ) -> tuple[Tensor, Tensor]:
        """Draw the rest of the lattice.

        Parameters
        ----------
        coarse : float64 tensor, shape (n_batch, n_root)
        generator : torch.Generator
            On its device.
        couplings : Couplings, optional

        Returns
        -------
        configurations : float64 tensor, shape (n_batch, n_sites)
        log_density : float64 tensor, shape (n_batch,)
            log q of all but the root.
        """
        law = (couplings or self.couplings).law
        configurations, total = self.draw_learned(coarse, generator, couplings)
        around = self._around_exact(configurations, law)
        x = law.draw_exact(around, generator)
        configurations[:, self.exact] = x
        return configurations, total + law.exact_log_prob(x, around).sum(1)

    def complete(self, configurations: Tensor, generator: torch.Generator) -> Tensor:
        """A copy with the exact sites drawn from their density given all others."""
        x = self.law.draw_exact(self._around_exact(configurations), generator)
        return configurations.index_copy(1, self.exact, x.to(configurations.dtype))

    def draw_learned(
        self, coarse: Tensor, generator: torch.Generator, couplings: Couplings | None = None
    ) -> tuple[Tensor, Tensor]:
        """As `sample`, but the exact sites stay 0: their sum or integral is in `log_marginal`.

        In the dtype of `coarse`; log_density carries the gradient of the laws, at fixed configurations.
        """
        given = couplings or self.couplings
        configurations = self.law.zeros(len(coarse), self.n_sites, coarse)
        configurations[:, self.root] = coarse
        seen, total = self._seen(configurations), coarse.new_zeros(len(coarse))
        for number in range(self.n_classes):
            sites = self.get_buffer(f"_sites_{number}")
            coefficients = self._coefficients(number, seen, given)
            x, log_prob = given.law.draw(*(one.to(coarse.dtype) for one in coefficients), generator)
            configurations[:, sites], seen[..., sites] = x, self.law.seen(x)
            total = total + log_prob.sum(1)
        return configurations, total

    def log_marginal(
        self, configurations: Tensor, power: float = 1.0, couplings: Couplings | None = None
    ) -> Tensor:
        """Log-weight of all but the exact sites, with these summed or integrated out, shape (n_batch,).

        Parameters
        ----------
        configurations : tensor, shape (n_batch, n_sites)
            Their exact sites may hold any value of the variable.
        power : float
            Factor of the coupling between sites.
        couplings : Couplings, optional
        """
        law, x = (couplings or self.couplings).law, configurations
        first, second = self.inner_bonds
        pairs = law.bond(x[:, first], x[:, second])
        bonds = (pairs if self.inner_weights is None else pairs * self.inner_weights.to(x)).sum(1)
        if self.field_weights is not None:
            fields = x[:, self.inner] @ self.field_weights[self.inner].to(x)
            bonds = bonds + spread(law.ghost, fields) * fields
        local = law.local(x[:, self.inner]).sum(1) + power * spread(law.pair, bonds) * bonds
        exact = law.log_normaliser(power * self._around_exact(x, law)).sum(1)
        return local + exact + self.system.log_constant

    def log_density(self, configurations: Tensor, couplings: Couplings | None = None) -> Tensor:
        """log q of all but the root at given configurations, in their dtype, shape (n_batch,).

        Parameters
        ----------
        configurations : float32 or float64 tensor, shape (n_batch, n_sites)
        couplings : Couplings, optional
        """
        total = self.learned_log_density(configurations, range(self.n_classes), couplings)
        law = (couplings or self.couplings).law
        around = self._around_exact(configurations, law)
        return total + law.exact_log_prob(configurations[:, self.exact], around).sum(1)

    def learned_log_density(
        self, configurations: Tensor, numbers: range | list[int], couplings: Couplings | None = None
    ) -> Tensor:
        """The part of some learned classes in `log_density`, differentiable: what is trained."""
        given = couplings or self.couplings
        seen = self._seen(configurations)
        total = torch.zeros(len(configurations), dtype=configurations.dtype, device=configurations.device)
        for number in numbers:
            x = configurations[:, self.get_buffer(f"_sites_{number}")]
            total = total + given.law.log_prob(x, *self._coefficients(number, seen, given)).sum(1)
        return total

    def mean_log_prob(
        self, configurations: Tensor, numbers: range | list[int], couplings: Couplings | None = None
    ) -> Tensor:
        """`learned_log_density` with each site averaged given all that is not exact, see `means`.

        The same mean over exact configurations, with less noise: what is trained by reference.
        """
        given = couplings or self.couplings
        seen = self._seen(configurations)
        around = self._around_exact(configurations, given.law)
        total = torch.zeros(len(configurations), device=configurations.device)
        for number in numbers:
            sites = self.get_buffer(f"_sites_{number}")
            moments = self.means.moments(given.law, configurations, around, sites)
            coefficients = self._coefficients(number, seen, given)
            total = total + given.law.mean_log_prob(moments, *coefficients).sum(1)
        return total

    def root_moments(self, configurations: Tensor, couplings: Couplings | None = None) -> Tensor:
        """Mean moments of the root's sites, shape (n_batch, n_root, n_moments)."""
        law = (couplings or self.couplings).law
        around = self._around_exact(configurations, law)
        return self.means.moments(law, configurations, around, self.root)

    @torch.no_grad()
    def start_from(self, other: Refinement) -> list[str]:
        """Take over the laws of a refinement of another size or coupling.

        A class takes the law of its own name, or, on a level that the other lattice does not have, that of
        the coarsest level there is; none with windows of another radius.

        Returns
        -------
        list of str
            Names of the classes that found no law of their shape and keep what they had.
        """
        kept = []
        for one in self.classes.learned:
            levels = range(min(one.level, other.classes.n_levels - 1), -1, -1)
            names = [_key(replace(one, level=level)) for level in levels]
            found = [other.networks[name] for name in names if name in other.networks]
            mine = self.networks[_key(one)]
            if found and self.radius == other.radius and found[0].shapes == mine.shapes:
                mine.load_state_dict(found[0].state_dict())
            else:
                kept.append(one.name)
        return kept

    def _seen(self, configurations: Tensor) -> Tensor:
        """What networks see of all sites, and of a missing one behind the last."""
        return nn.functional.pad(self.law.seen(configurations), (0, 1))

    def _coefficients(self, number: int, seen: Tensor, given: Couplings) -> tuple[Tensor, ...]:
        """Of one class, from what `_seen` gives."""
        table = self.get_buffer(f"_table_{number}")
        window = seen.index_select(-1, table.reshape(-1)).unflatten(-1, table.shape)
        bump = None if given.bump is None else given.bump[:, None]
        return self.networks[_key(self.classes.learned[number])](
            window, self.get_buffer(f"_edges_{number}"), bump
        )

    def _around_exact(self, configurations: Tensor, law: AbstractLaw | None = None) -> Tensor:
        """Messages of the neighbours of the exact sites, times weights of bonds, (.., n_batch, n_exact).

        With the field of each, where they differ.
        """
        padded = nn.functional.pad(self.law.message(configurations), (0, 1))
        total = padded.new_zeros(*padded.shape[:-1], len(self.exact))
        weights = None if self.weights_around is None else self.weights_around.to(total).T
        for k, column in enumerate(self.around_exact.T):
            near = padded.index_select(-1, column)
            total = total + (near if weights is None else near * weights[k])
        if self.field_weights is None:
            return total
        ghost = (self.law if law is None else law).ghost
        return total + spread(ghost, total) * self.field_weights[self.exact].to(total)


def _key(one: SiteClass) -> str:
    """Name of a class as a key of a ModuleDict, which takes no dots."""
    return one.name.replace(".", "_")
