# SPDX-License-Identifier: MIT
"""The sums X that the action is linear in, for many configurations at once, at the speed of the kernels.

Same numbers as `system.action_terms`, which takes a detour through torch that costs more than a sweep of a
small lattice:

    ising       (sum_<ij> s_i s_j, sum_i s_i); (sum_<ij> J_ij s_i s_j, sum_i h_i s_i) where there are several
    states      (sum_<ij> w_ij bond[s_i, s_j], sum_i w_i site[s_i]) of the unit tables
    phi4        (sum_<ij> phi_i phi_j, sum_i phi_i^2, sum_i phi_i^4)
    rotor       (sum_<ij> S_i . S_j, sum_i S_i^a), with J_ij and h_i where there are several
    continuous  (E,), or what the system's `terms_kernel` writes

Other systems are asked themselves.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numba import njit

from edgphys.systems.continuous.kernel_pointer import KernelPointer

__all__ = ["make_action_terms"]

Terms = Callable[[np.ndarray], np.ndarray]


def make_action_terms(system) -> Terms:
    """A function from configurations, shape (n, n_variables), to terms, shape (n, n_terms), float64.

    Parameters
    ----------
    system : edgphys.systems.AbstractSystem
        Configurations are int8 for "ising" and "states", else float64, sites in the order of the lattice.

    Examples
    --------
    >>> import lattices
    >>> from edgphys.systems import Ising
    >>> terms = make_action_terms(Ising(lattices.build("square", (4, 4)), temperature=2.0, field=0.1))
    >>> terms(np.ones((1, 16), np.int8)).tolist()
    [[32.0, 16.0]]
    """
    make = _BY_FAMILY.get(system.family)
    return system.action_terms if make is None else make(system)


def _on_bonds(kernel, n_terms: int) -> Callable[..., Terms]:
    """Terms that a kernel (configurations, bonds, out) sums over the bonds of a lattice."""

    def make(system) -> Terms:
        bonds = np.ascontiguousarray(system.lattice.bonds, dtype=np.uint32).reshape(-1, 2)

        def terms(configurations: np.ndarray) -> np.ndarray:
            out = np.empty((len(configurations), n_terms))
            kernel(np.ascontiguousarray(configurations), bonds, out)
            return out

        return terms

    return make


def _of_spins(system) -> Terms:
    if system.is_uniform:
        return _on_bonds(_ising_terms, 2)(system)
    if not system.weighs_energy:
        return system.action_terms
    couplings = system.bond_weights, system.site_weights
    return _on_bonds(lambda spins, bonds, out: _weighed_terms(spins, bonds, *couplings, out), 2)(system)


def _of_rotors(system) -> Terms:
    given = system.n_components, system.field_axis, system.bond_weights, system.site_weights
    return _on_bonds(lambda spins, bonds, out: _rotor_terms(spins, bonds, *given, out), 2)(system)


def _of_states(system) -> Terms:
    bonds = np.ascontiguousarray(system.lattice.bonds, dtype=np.uint32).reshape(-1, 2)
    factors = [
        np.ones(n) if one is None else one
        for one, n in ((system.pair_weights, len(bonds)), (system.site_weights, system.n_sites))
    ]
    tables = tuple(np.ascontiguousarray(one, np.float64) for one in system.unit_tables)

    def terms(configurations: np.ndarray) -> np.ndarray:
        out = np.empty((len(configurations), 2))
        numbers = np.ascontiguousarray(configurations, np.int8)
        _states_terms(numbers, bonds, *factors, *tables, out)
        return out

    return terms


def _by_kernel(system) -> Terms:
    """Terms by the kernel of the system, where it has one that gives them all."""
    if system.terms_kernel is not None:
        return _terms_of(system)
    if system.kernel is not None and len(system.action_coefficients) == 1:
        return _energies_of(system)
    return system.action_terms


def _energies_of(system) -> Terms:
    energy, parameters = KernelPointer(system.energy_kernel), np.array(system.kernel_parameters, np.float64)
    unused = np.empty(system.n_variables)

    def terms(configurations: np.ndarray) -> np.ndarray:
        out = np.empty((len(configurations), 1))
        _energies(np.ascontiguousarray(configurations), energy, parameters, unused.copy(), out)
        return out

    return terms


def _terms_of(system) -> Terms:
    kernel, parameters = KernelPointer(system.terms_kernel), np.array(system.kernel_parameters, np.float64)
    n_terms = len(system.action_coefficients)

    def terms(configurations: np.ndarray) -> np.ndarray:
        out = np.empty((len(configurations), n_terms))
        _all_terms(np.ascontiguousarray(configurations), kernel, parameters, out)
        return out

    return terms


@njit(nogil=True, cache=True)
def _all_terms(points, kernel, parameters, out):
    for n in range(points.shape[0]):
        kernel(points[n], out[n], parameters)


@njit(nogil=True, cache=True)
def _energies(points, energy, parameters, unused, out):
    for n in range(points.shape[0]):
        out[n, 0] = energy(points[n], unused, parameters)


@njit(nogil=True, cache=True)
def _ising_terms(spins, bonds, out):
    for n in range(spins.shape[0]):
        sigma = spins[n]
        aligned, total = 0, 0
        for b in range(bonds.shape[0]):
            aligned += sigma[bonds[b, 0]] * sigma[bonds[b, 1]]
        for i in range(sigma.size):
            total += sigma[i]
        out[n, 0], out[n, 1] = aligned, total


@njit(nogil=True, cache=True)
def _states_terms(configurations, bonds, bond_weights, site_weights, bond, site, out):
    for n in range(configurations.shape[0]):
        states = configurations[n]
        of_bonds, of_sites = 0.0, 0.0
        for b in range(bonds.shape[0]):
            of_bonds += bond_weights[b] * bond[states[bonds[b, 0]], states[bonds[b, 1]]]
        for i in range(states.size):
            of_sites += site_weights[i] * site[states[i]]
        out[n, 0], out[n, 1] = of_bonds, of_sites


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _weighed_terms(spins, bonds, bond_weights, site_weights, out):
    for n in range(spins.shape[0]):
        sigma = spins[n]
        aligned, total = 0.0, 0.0
        for b in range(bonds.shape[0]):
            aligned += bond_weights[b] * (sigma[bonds[b, 0]] * sigma[bonds[b, 1]])
        for i in range(sigma.size):
            total += site_weights[i] * sigma[i]
        out[n, 0], out[n, 1] = aligned, total


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})
def _rotor_terms(configurations, bonds, n_components, axis, bond_weights, site_weights, out):
    n_sites = site_weights.size
    spins = np.empty((n_sites, n_components))
    for n in range(configurations.shape[0]):
        for i in range(n_sites):
            if n_components == 2:
                angle = configurations[n, i]
                spins[i, 0], spins[i, 1] = math.cos(angle), math.sin(angle)
            else:
                for c in range(n_components):
                    spins[i, c] = configurations[n, n_components * i + c]
        aligned, total = 0.0, 0.0
        for b in range(bonds.shape[0]):
            dot = 0.0
            for c in range(n_components):
                dot += spins[bonds[b, 0], c] * spins[bonds[b, 1], c]
            aligned += bond_weights[b] * dot
        for i in range(n_sites):
            total += site_weights[i] * spins[i, axis]
        out[n, 0], out[n, 1] = aligned, total


@njit(nogil=True, cache=True, fastmath={"reassoc", "contract"})  # sums of finite numbers: reordering is safe
def _phi4_terms(fields, bonds, out):
    for n in range(fields.shape[0]):
        phi = fields[n]
        links, sum2, sum4 = 0.0, 0.0, 0.0
        for b in range(bonds.shape[0]):
            links += phi[bonds[b, 0]] * phi[bonds[b, 1]]
        for i in range(phi.size):
            square = phi[i] * phi[i]
            sum2 += square
            sum4 += square * square
        out[n, 0], out[n, 1], out[n, 2] = links, sum2, sum4


_BY_FAMILY: dict[str, Callable[..., Terms]] = {
    "ising": _of_spins,
    "states": _of_states,
    "phi4": _on_bonds(_phi4_terms, 3),
    "continuous": _by_kernel,
    "rotor": _of_rotors,
}
