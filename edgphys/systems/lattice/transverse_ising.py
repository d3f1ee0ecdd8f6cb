# SPDX-License-Identifier: MIT
r"""Quantum Ising model in a transverse field, as a classical one with imaginary time for one more dimension.

    H = -sum_<ij> J_ij sz_i sz_j - Gamma sum_i sx_i - h sum_i sz_i,     Z = Tr exp(-beta H)

By the formula of Trotter, with n slices and the time step tau = beta / n,

    Z_n = Tr (exp(tau sum J sz sz + tau h sum sz) exp(tau Gamma sum sx))^n
        = C sum_s exp(sum_t [ sum_<ij> tau J_ij s_it s_jt + sum_i (tau h s_it + K s_it s_i,t+1) ]),
    K = -log(tanh(tau Gamma)) / 2,     log C = (N n / 2) log(sinh(2 tau Gamma) / 2)

over Ising spins s_it on n copies of the lattice, periodic in t; Z_n = Z + O(tau^2). A configuration is that
of an Ising model with couplings by kind of bond, and all that moves or draws those serves here.

Estimators, of one configuration, with x = tau Gamma and S the sum of s_it s_i,t+1:

    transverse_magnetization   coth 2x - S / (N n sinh 2x)     average <sx>: a bond adds tanh x or coth x
    energy                     -N Gamma sx - sum_t [ sum_<ij> J_ij s_it s_jt + h sum_i s_it ] / n,
                               average -d log Z_n / d beta
    energy_slope               its derivative by beta: C = beta^2 (<E^2> - <E>^2 - <energy_slope>)
    magnetization              m, mean of s over sites and time; the variance times beta N is the
                               susceptibility of Kubo
    equal_time_magnetization_2 mean over t of m_t^2, average <(sum_i sz_i)^2> / N^2; and _4, of m_t^4

`log_z`, with all constants, is that of Z_n. Exactly known, without time step: log_z, energy, specific heat
and <sx> of the chain of any length with one J and without h (free fermions); everything up to 10 sites
(diagonalisation).

References
----------
Suzuki, Prog. Theor. Phys. 56, 1454 (1976), doi:10.1143/PTP.56.1454. Trotter, Proc. Am. Math. Soc. 10, 545
(1959).
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray

from edgphys import _checks
from edgphys._checks import temperature_of
from edgphys._lazy import LazyModule
from edgphys.errors import ArgumentValueError
from edgphys.systems.lattice.base import check_lattice
from edgphys.systems.lattice.couplings import bond_couplings
from edgphys.systems.lattice.hopping import BondSums
from edgphys.systems.lattice.ising import AbstractIsing, Ising
from edgphys.systems.lattice.measurements import LatticeObservables
from edgphys.systems.lattice.transverse_exact import exact_names, exact_values
from edgphys.systems.own_observables import OwnObservable
from edgphys.systems.records import Parameter, SystemRecord
from edgphys.systems.reference_path import ReferencePath
from lattices import Lattice
from lattices.layers import copied_bonds, in_layers

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["TransverseIsing"]

_MOST_SLICES = 1 << 16
_STEPS = 1e-100, 100.0  # of tau Gamma: what hyperbolic functions and their squares can hold
_EXACT_NOTE = (
    "exact: without time step; all else at time_step, which shifts it by the order of its square "
    "(ep.extrapolate_time_step)"
)
_WORDS = {
    "energy": "thermal estimator of <H>, total; units of J; average -d log_z / d beta at fixed n_slices",
    "log_z": "log of Z_n, natural logarithm: Tr exp(-beta H) up to the square of the time step",
    "magnetization": "mean of sz over sites and imaginary time; average <sz>; dimensionless",
    "abs_magnetization": "|m| per draw, m the mean of sz over sites and imaginary time; dimensionless",
    "susceptibility": "beta n_sites (<m^2> - <m>^2), <m> = 0 when Z2 symmetric, m the mean over sites and "
    "imaginary time: of Kubo; 1/energy",
    "binder_cumulant": "1 - <m^4> / (3 <m^2>^2), m the mean over sites and imaginary time; dimensionless",
    "specific_heat": "beta^2 (<E^2> - <E>^2 - <energy_slope>) / n_sites; units of k_B",
    "correlator_zero": "n_sites n_slices m^2 per draw",
    "reduced_energy": "minus log of the weight of a configuration in Z_n, all constants included",
}
_TRANSVERSE = "<sx> per site, averaged over sites and imaginary time; dimensionless"
_EQUAL_TIME = "mean over imaginary times of (sum_i sz_i / n_sites)^{0} of one time; dimensionless"


def _halvable(n: int) -> int:
    """The least number of at least `n` that is 2, 3 or 4 times a power of two: generators halve axes.

    Examples
    --------
    >>> [_halvable(n) for n in (1, 5, 20, 33)]
    [2, 6, 24, 48]
    """
    power = 2 ** max(0, math.ceil(math.log2(max(n, 2) / 4)))
    return next(k * power for k in (2, 3, 4) if k * power >= n)


@final
class TransverseIsing(AbstractIsing):
    """Quantum Ising model in a transverse field; see the module docstring for signs and formulae.

    Parameters
    ----------
    lattice : Lattice
        Of the quantum spins: up to three axes, any boundary conditions.
    temperature : float
        Positive, in the units of `coupling` (k_B = 1).
    field : float
        Gamma, positive.
    coupling : float, dict or array, default 1.0
        J, of either sign, J of each kind of bond, or of each bond of `lattice`, as `Ising` takes them.
    n_slices : int, default 0
        Copies of the lattice along imaginary time, 2 or more; 0: as many as `time_step` asks for.
    time_step : float, default 0.025
        tau is at most this, in the units of 1 / J; `n_slices` goes before it.
    strength : float, default 1.0
        Factor of all couplings of the classical model: what ladders from free spins change.
    longitudinal_field : float, default 0.0
        h. Without it the system is Z2 symmetric.

    Attributes
    ----------
    lattice : Lattice
        The copies, with the kind of bonds "time" between them.
    built_on : Lattice
        That of the quantum spins.
    quantum_bonds : float64 array
        J of each of its bonds.
    time_step : float
        tau itself.
    log_constant : float
        log C.

    Raises
    ------
    TypeError, ValueError
        If `lattice` is none or has too many axes, a number is not one that is allowed, or the time step is
        too short for `_MOST_SLICES` slices or far too long for the field.

    Examples
    --------
    >>> import lattices
    >>> system = TransverseIsing(lattices.build("chain", (8,)), temperature=0.5, field=1.0, n_slices=20)
    >>> system.lattice.extent, system.time_step, round(system.exact_results()["energy"], 4)
    ((8, 20), 0.1, -10.0443)
    """

    name: ClassVar[str] = "transverse_ising"
    record: ClassVar[SystemRecord] = SystemRecord(
        energy="H = -J sum_<ij> sz_i sz_j - Gamma sum_i sx_i - h sum_i sz_i, by Trotter's formula",
        parameters=(
            Parameter("temperature", "T, positive, in units of J (k_B = 1)", 1.0),
            Parameter("field", "Gamma, positive", 1.0, label=r"transverse field $\Gamma$"),
            Parameter("coupling", "J; one, by kind or by bond", 1.0, takes_several=True),
            Parameter("n_slices", "copies along imaginary time; 0: by time_step", 0.0),
            Parameter("time_step", "longest step of imaginary time", 0.025),
            Parameter("longitudinal_field", "h", 0.0, label=r"longitudinal field $h$"),
        ),
        lattices="any lattice of up to three axes, periodic or open; a chain of 12 by default",
        exact=(
            "without time step: chains up to 4096 sites, one J, h = 0: log_z, free_energy, energy, entropy, "
            "specific_heat, transverse_magnetization (free fermions)",
            "without time step: any lattice up to 10 sites, all estimates but |m| and its cumulant",
        ),
        title="quantum Ising model",
        default_lattice="chain",
        default_extent="12",
    )
    weighs_energy: ClassVar[bool] = False
    field_name: ClassVar[str] = "longitudinal_field"
    exact_note: ClassVar[str] = _EXACT_NOTE

    def __init__(
        self,
        lattice: Lattice,
        temperature: float = 1.0,
        field: float = 1.0,
        coupling: Any = 1.0,
        n_slices: int = 0,
        time_step: float = 0.025,
        strength: float = 1.0,
        longitudinal_field: float = 0.0,
    ) -> None:
        self._built_on = check_lattice(lattice)
        self.temperature = temperature_of(temperature)
        self.field = _checks.positive(field, "field")
        self.longitudinal_field = _checks.finite(longitudinal_field, "longitudinal_field")
        strength = _checks.finite(strength, "strength")
        given = bond_couplings(lattice, coupling)
        self.coupling, self.quantum_bonds = given.given, given.values
        n = self._count(n_slices, _checks.positive(time_step, "time_step"))
        self.n_slices, self.time_step = n, self.beta / n
        self._x = self._checked_step()
        self.parameters = {
            "temperature": self.temperature,
            "field": self.field,
            "coupling": self.coupling,
            "n_slices": n,
            "time_step": self.time_step,
            "strength": strength,
            "longitudinal_field": self.longitudinal_field,
        }
        try:
            self.lattice = in_layers(lattice, n, self._spacing)
        except ValueError as error:
            raise ArgumentValueError(str(error), "lattice") from error
        self._set_couplings(strength)
        self._beside = tuple(OwnObservable(*one) for one in self._functions())

    def _count(self, n_slices: Any, time_step: float) -> int:
        n = _checks.whole(n_slices, "n_slices", 0, _MOST_SLICES)
        if n == 1:
            raise ArgumentValueError("n_slices must be 0 or an integer >= 2, got 1", "n_slices")
        # A step that divides beta but for rounding is taken.
        least = 0 if n else math.ceil(min(self.beta / time_step, 2.0 * _MOST_SLICES) * (1.0 - 1e-12))
        if least > _MOST_SLICES:
            words = f"at least {self.beta / _MOST_SLICES:.3g} at temperature {self.temperature:g}"
            raise ArgumentValueError(
                f"time_step must be {words}, for {_MOST_SLICES} slices, got {time_step:g}", "time_step"
            )
        return n or _halvable(least)

    def _checked_step(self) -> float:
        """tau Gamma."""
        x, (low, high) = self.time_step * self.field, _STEPS
        if not low <= x <= high:
            words = f"time_step * field between {low:g} and {high:g}, got {x:.3g}: {self.n_slices} slices"
            raise ArgumentValueError(f"n_slices and field must give {words}", "n_slices")
        return x

    @property
    def _spacing(self) -> float:
        """Of the layers: how far an excitation comes in a time step, to a power of 2."""
        way = 2.0 * self.time_step * max(self.field, *np.abs(self.quantum_bonds))
        return 2.0 ** max(-20, min(-1, math.floor(math.log2(way))))

    def _set_couplings(self, strength: float) -> None:
        n, copies = self.n_slices, copied_bonds(self._built_on, self.lattice)
        reduced = self.time_step * self.quantum_bonds, -0.5 * math.log(math.tanh(self._x))
        # Of the energy: -sum of these over bonds and spins, and a constant.
        estimator = self.quantum_bonds / n, -self.field / (n * math.sinh(2.0 * self._x))
        bonds, self._estimator = (np.append(*one)[copies] for one in (reduced, estimator))
        self._terms = [*self._quantum_terms(copies), (reduced[1], (copies < 0).astype(float))]
        self.is_uniform, self.one_coupling, self.one_field = False, False, True
        self.coefficients = strength, self.longitudinal_field / n
        self.bond_weights, self.site_weights = self.temperature * bonds, np.ones(self.n_sites)
        self.bond_couplings = strength * self.bond_weights
        self.site_fields = self.coefficients[1] * self.site_weights
        self._bonds = BondSums(self.lattice, self.bond_weights)

    def _quantum_terms(self, copies: NDArray[np.int64]) -> list[tuple[float, NDArray[np.float64]]]:
        """Coefficients, and weights of bonds, of the terms of the action in a layer."""
        values, kinds, tau = self.quantum_bonds, self._built_on.bond_kinds, self.time_step
        if isinstance(self.coupling, list):
            return [(tau, np.append(values, 0.0)[copies])]
        of_kind = dict(zip(kinds.tolist(), values.tolist(), strict=True))
        return [
            (tau * of_kind.get(kind, 0.0), np.append(kinds == kind, False)[copies].astype(float))
            for kind in range(len(self._built_on.unit_cell.kinds))
        ]

    @property
    def built_on(self) -> Lattice:
        return self._built_on

    def replace(self, **changes: Any) -> Self:
        """The same system with some parameters changed; `n_slices` stays unless it or `time_step` changes."""
        by_step = {"n_slices": 0} if "time_step" in changes and "n_slices" not in changes else {}
        return super().replace(**by_step, **changes)

    # ------------------------------------------------------------------------------ weights of configurations

    @functools.cached_property
    def log_constant(self) -> float:
        """log C, see the module docstring."""
        x = 2.0 * self._x
        return 0.5 * self.n_sites * (x + math.log1p(-math.exp(-2.0 * x)) - math.log(4.0))

    @property
    def classical(self) -> Ising:
        """The Ising model of the same weights, up to C, at the same temperature."""
        (strength, field), couplings = self.coefficients, self.bond_weights
        if not isinstance(self.coupling, list):
            each = zip(self.lattice.unit_cell.kinds, self._terms, strict=True)
            couplings = {kind: self.temperature * one for kind, (one, _) in each}
        return Ising(self.lattice, self.temperature, couplings, field, strength)

    @property
    def _constant(self) -> float:
        return super()._constant - self.log_constant

    def _action(self, flat: Tensor) -> Tensor:
        strength, field = self.coefficients
        along = strength * self._bonds.pair_sum(flat) + field * flat.sum(1)
        return -self.beta * along - self.log_constant

    @property
    def action_coefficients(self) -> NDArray[np.float64]:
        """Of the sums over bonds of each kind, minus tau J and -K; of the spins, -tau h; of 1, -log C.

        Where each bond has its J, one sum over them with weights J, and -tau.
        """
        strength, field = self.coefficients
        bonds = [strength * coefficient for coefficient, _ in self._terms]
        return -np.array([*bonds, self.beta * field, self.log_constant])

    def _action_terms(self, flat: Tensor) -> Tensor:
        sums = [bonds.pair_sum(flat) for bonds in self._sums]
        return torch.stack([*sums, flat.sum(1), torch.ones_like(sums[0])], dim=1)

    @functools.cached_property
    def _sums(self) -> list[BondSums]:
        return [BondSums(self.lattice, weights) for _, weights in self._terms]

    def reference(self) -> ReferencePath:
        """The strength of all couplings from 0: free spins, log Z = N n log(2 cosh(tau h)) + log C."""
        path = super().reference()
        return dataclasses.replace(path, log_z=path.log_z + self.log_constant)

    @property
    def conditions(self) -> tuple[str, ...]:
        """None: both kinds of couplings change with each parameter."""
        return ()

    # ------------------------------------------------------------------------------------------- observables

    @property
    def energy_weights(self) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        constant = -self._built_on.n_sites * self.field / math.tanh(2.0 * self._x)
        return self._estimator, self.site_fields, constant

    @functools.cached_property
    def _energy_sums(self) -> BondSums:
        return BondSums(self.lattice, self._estimator)

    def _energy(self, flat: Tensor) -> Tensor:
        along = self._energy_sums.pair_sum(flat)
        return self.energy_weights[2] - along - self.coefficients[1] * flat.sum(1)

    @functools.cached_property
    def _observables(self) -> LatticeObservables:
        return LatticeObservables(self.lattice, waves=False)

    def _functions(self) -> tuple[tuple[Any, ...], ...]:
        """Name, function, definition and unit of what no kernel measures."""
        axis, n, x = 1 + self._built_on.n_axes, self.n_slices, self._x

        def transverse(s: NDArray[np.float64]) -> NDArray[np.float64]:
            along = (s * np.roll(s, -1, axis)).mean(tuple(range(1, s.ndim)))
            return math.tanh(x) + (1.0 - along) / math.sinh(2.0 * x)  # no difference of large numbers

        def slope(s: NDArray[np.float64]) -> NDArray[np.float64]:
            along = (s * np.roll(s, -1, axis)).mean(tuple(range(1, s.ndim)))
            scale = 2.0 * self._built_on.n_sites / n * (self.field / math.sinh(2.0 * x)) ** 2
            return scale * (1.0 - math.cosh(2.0 * x) * along)

        def power(s: NDArray[np.float64], exponent: int) -> NDArray[np.float64]:
            others = tuple(k for k in range(1, s.ndim) if k != axis)
            return (s.mean(others) ** exponent).mean(1)

        powers = (
            (f"equal_time_magnetization_{k}", functools.partial(power, exponent=k), _EQUAL_TIME.format(k), "")
            for k in (2, 4)
        )
        words = "derivative of the energy estimator by beta"
        return (
            ("transverse_magnetization", transverse, _TRANSVERSE, ""),
            ("energy_slope", slope, words),
            *powers,
        )

    @property
    def definitions(self) -> dict[str, str]:
        """Definition, with units, of every observable and estimate by name."""
        return {**super().definitions, **_WORDS}

    def configuration_dims(self) -> tuple[str, ...]:
        """The dimensions of the lattice, and ``slice``."""
        n_axes = self._built_on.n_axes
        basis = ("basis",) * (len(self.lattice.shape) - n_axes - 1)
        return (*("x", "y", "z")[:n_axes], "slice", *basis)

    def _geometry_attrs(self) -> dict[str, Any]:
        return super()._geometry_attrs() | {"order_axis": "slice"}

    # ------------------------------------------------------------------------------------------ exact results

    @property
    def exact(self) -> tuple[str, ...]:
        """Names of the estimates known exactly for this instance; the module docstring says when."""
        return exact_names(self)

    def exact_results(self) -> dict[str, float]:
        """Exact values, without time step, of the estimates named in `exact`."""
        return exact_values(self)
