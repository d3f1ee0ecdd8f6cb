# SPDX-License-Identifier: MIT
"""What the algorithms of rotors share: unit vectors in the order of a layout, tables of bonds, starts.

Chains hold unit vectors, XY too: local fields, reflections and draws around a field then need neither sine
nor cosine. A configuration array has the shape (n_sites + 1, n_components); its last row is zero for ever and
stands for the neighbours that a site at an open boundary does not have.

    beta H = -sum_<ij> K_ij S_i . S_j - sum_i b_i S_i^a,     K = beta J,   b = beta h

One kernel of each kind serves two and three components, told apart by the shape of the array.
"""

from __future__ import annotations

import functools

import numpy as np

from edgphys.mcmc.core.layout import Layout
from edgphys.mcmc.core.sampler import AbstractLatticeSampler, ChainState
from edgphys.mcmc.random.xoshiro import new_state
from edgphys.systems.lattice.rotors.measurements import wrapped

__all__ = ["AbstractRotorSampler"]

_ORDER = ("magnetization", "abs_magnetization", "magnetization_2", "magnetization_4", "correlator_zero")


class AbstractRotorSampler(AbstractLatticeSampler):
    """A chain of rotors, float64."""

    family = "rotor"
    staggered_columns = _ORDER

    def __init__(self, system, options: dict) -> None:
        twists = system.rotor_observables
        self.columns = ("energy", *twists.twist_names, *twists.vortex_names, *_ORDER)
        super().__init__(system, options)

    @property
    def n_components(self) -> int:
        """Of a spin."""
        return self.system.n_components

    def start(self, index: int, seed: np.random.SeedSequence) -> ChainState:
        start_seed, kernel_seed = seed.spawn(2)
        if index % 2 == 0:
            values = self._disordered(np.random.default_rng(start_seed))
        else:
            values = self._ordered() * (1 if index % 4 == 1 else -1)
        return ChainState(self._stored(values), new_state(kernel_seed))

    def place(self, state: ChainState, values: np.ndarray) -> None:
        state.configuration = self._stored(self._vectors(values))

    def unpack(self, state: ChainState) -> np.ndarray:
        spins = np.empty_like(state.configuration[:-1])
        spins[self.layout.order] = state.configuration[:-1]
        if self.n_components > 2:
            return spins.ravel()
        return wrapped(np.arctan2(spins[:, 1], spins[:, 0]))

    def _stored(self, spins: np.ndarray) -> np.ndarray:
        return np.concatenate([spins[self.layout.order], np.zeros((1, self.n_components))])

    def _vectors(self, values: np.ndarray) -> np.ndarray:
        """Spins, shape (n_sites, n_components), of a configuration of the system."""
        if self.n_components > 2:
            return values.reshape(-1, self.n_components)
        return np.stack([np.cos(values), np.sin(values)], axis=1)

    def _disordered(self, rng: np.random.Generator) -> np.ndarray:
        return self._vectors(self.system.random_configurations(1, rng)[0])

    def _ordered(self) -> np.ndarray:
        signs = self.system.order_signs
        spins = np.zeros((self.layout.n_sites, self.n_components))
        spins[:, self.system.field_axis] = 1.0 if signs is None else signs
        return spins

    @functools.cached_property
    def _tables(self) -> tuple:
        """Neighbours, K of each of them (0 where there is none), b of each site, the axis of the field."""
        system, layout = self.system, self.layout
        couplings = np.append(system.beta * system.bond_couplings, 0.0)[layout.neighbour_bonds]
        fields = system.beta * system.site_fields[layout.order]
        return layout.neighbours, couplings, fields, system.field_axis

    def _probe(self) -> tuple:
        """The arguments of `edgphys.mcmc.rotors.measure.measure_rotors` that do not change."""
        (first, staggered, end), cosines, sines, signs = self._wave_probe()
        begins = first - len(_ORDER), staggered, end
        return *self._measured, (begins, cosines, sines, signs.astype(np.float64))

    @functools.cached_property
    def _measured(self) -> tuple:
        system, layout, observables = self.system, self.layout, self.system.rotor_observables
        energies = (
            layout.bonds,
            system.bond_couplings[layout.bond_order],
            system.site_fields[layout.order],
            system.field_axis,
        )
        # Stored bonds may begin with the other site, from which they lead the other way.
        forward = layout.order[layout.bonds[:, 0]] == system.lattice.bonds[layout.bond_order, 0]
        lengths = np.where(forward, 1.0, -1.0) * observables.lengths[:, layout.bond_order]
        twists = len(observables.twists), np.ascontiguousarray(lengths)
        vortices = _places(layout)[observables.plaquettes], observables.phases
        return layout.order, energies, twists, vortices


def _places(layout: Layout) -> np.ndarray:
    """Where each site of the lattice is stored, int64 (n_sites,)."""
    places = np.empty_like(layout.order)
    places[layout.order] = np.arange(layout.n_sites)
    return places
