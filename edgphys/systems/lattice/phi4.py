# SPDX-License-Identifier: MIT
r"""Real scalar field with a quartic self-interaction on a hypercubic lattice, one to four dimensions.

    S = -2 kappa sum_<ij> phi_i phi_j + sum_x [ (1 - 2 lam) phi_x^2 + lam phi_x^4 ],    Z = int exp(-S) dphi

with <ij> over nearest-neighbour bonds, each once, no additive constant (the form with lam (phi^2 - 1)^2 has
S larger by lam N), and the flat measure, without factors of 2 pi. `energy` and `reduced_energy` are both S;
the temperature is 1. Internally

    S = -2 hop sum_<ij> phi_i phi_j + sum_x [ quadratic phi_x^2 + quartic phi_x^4 ],

and `Phi4.from_mass` fills it from a mass, for two conventions on a lattice periodic along all d axes,
without rescaling phi:

    "flow":      S = sum_x { sum_mu [phi_{x+mu} - phi_x]^2 + m2 phi^2 + lam phi^4 }
                 hop = 1,   quadratic = 2d + m2,   quartic = lam
    "standard":  S = sum_x { 1/2 sum_mu [phi_{x+mu} - phi_x]^2 + m2/2 phi^2 + lam/4! phi^4 }
                 hop = 1/2, quadratic = d + m2/2,  quartic = lam/4!

Exactly known: the free field (quartic = 0) in closed form; the ring by its transfer operator; for all
couplings <sum_x phi dS/dphi> = n_sites (Schwinger-Dyson). `edgphys.exact.transfer.phi4_torus` contracts tori
with a side of at most four sites, in minutes and to a stated accuracy; that is not part of `exact`.

References
----------
Montvay and Muenster, Quantum Fields on a Lattice, Cambridge University Press (1994), ch. 2. Albergo, Kanwar,
Shanahan, Phys. Rev. D 100, 034515 (2019), arXiv:1904.12072 ("flow" convention).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, ClassVar, Self, final

import numpy as np
from numpy.typing import NDArray

from edgphys._checks import finite
from edgphys._lazy import LazyModule
from edgphys.observables import definitions
from edgphys.systems.lattice.base import AbstractLatticeSystem, check_lattice
from edgphys.systems.lattice.free_sites import draw_fields
from edgphys.systems.lattice.hopping import BondSums, is_hypercubic
from edgphys.systems.lattice.measurements import DEFINITIONS
from edgphys.systems.lattice.phi4_exact import exact_names, exact_values
from edgphys.systems.lattice.relaxation import LatticeOperator
from edgphys.systems.records import Parameter, SystemRecord
from edgphys.systems.reference_path import ReferencePath
from lattices import Lattice

if TYPE_CHECKING:
    import torch
    from torch import Tensor
else:
    torch = LazyModule("torch")

__all__ = ["Phi4"]

_LATTICES = ("chain", "square", "cubic", "hypercubic")


@final
class Phi4(AbstractLatticeSystem):
    """Lattice phi^4 theory; see the module docstring for signs, constants and conventions.

    Either `kappa` and `lam` are given, or `hop`, `quadratic` and `quartic` (`from_mass` does so).

    Parameters
    ----------
    lattice : Lattice
        A chain, square, cubic or hypercubic lattice, any boundary conditions.
    kappa : float
        Hopping parameter, of either sign.
    lam : float
        Quartic coupling, not negative. At 0 the field is free and must be positive definite:
        |kappa| < 1/(2d) on a torus.
    hop, quadratic, quartic : float
        The coefficients of S directly.

    Raises
    ------
    TypeError
        If `lattice` is not a Lattice, a parameter is not a real number, or the parameters are neither of the
        two sets.
    ValueError
        If the lattice is not hypercubic, a parameter is not finite, or exp(-S) cannot be normalised.

    Examples
    --------
    >>> import lattices
    >>> system = Phi4(lattices.build("square", (4, 4)), kappa=0.25, lam=0.022)
    >>> ones = torch.ones(1, 4, 4, dtype=torch.float64)
    >>> round(float(system.reduced_energy(ones)[0]), 12)  # 16 (1 - lam) - 2 kappa 32
    -0.352
    """

    name: ClassVar[str] = "phi4"
    record: ClassVar[SystemRecord] = SystemRecord(
        energy="S = -2 kappa sum_<ij> phi phi + sum_x [(1 - 2 lam) phi^2 + lam phi^4], weight exp(-S)",
        parameters=(
            Parameter("kappa", "hopping parameter, of either sign"),
            Parameter("lam", "quartic coupling, non-negative"),
        ),
        lattices="chain, square, cubic, hypercubic; periodic or open",
        exact=(
            "free field (lam = 0), any boundary",
            "periodic chain, from its transfer operator",
        ),
        title=r"$\phi^4$ field",
        conventions=("flow", "standard"),
        by_convention=(
            Parameter("m2", "bare mass squared, of either sign if lam > 0"),
            Parameter("lam", "quartic coupling, non-negative"),
        ),
    )
    family: ClassVar[str] = "phi4"
    has_reference: ClassVar[bool] = True

    def __init__(
        self,
        lattice: Lattice,
        kappa: float | None = None,
        lam: float | None = None,
        *,
        hop: float | None = None,
        quadratic: float | None = None,
        quartic: float | None = None,
    ) -> None:
        self.lattice = _check_hypercubic(check_lattice(lattice))
        given = {"kappa": kappa, "lam": lam, "hop": hop, "quadratic": quadratic, "quartic": quartic}
        given = {key: finite(value, key) for key, value in given.items() if value is not None}
        if given.keys() == {"kappa", "lam"}:
            self.hop, self.quadratic, self.quartic = given["kappa"], 1.0 - 2.0 * given["lam"], given["lam"]
        elif given.keys() == {"hop", "quadratic", "quartic"}:
            self.hop, self.quadratic, self.quartic = given["hop"], given["quadratic"], given["quartic"]
        else:
            names = ", ".join(given) or "none"
            raise TypeError(f"parameters must be kappa and lam, or hop, quadratic and quartic, got {names}")
        self.parameters = given
        _check_normalisable(self)
        self._bonds = BondSums(lattice)

    @classmethod
    def from_mass(cls, lattice: Lattice, m2: float, lam: float, convention: str) -> Self:
        """The system with bare mass squared `m2` and quartic coupling `lam` in one of two conventions.

        Parameters
        ----------
        lattice : Lattice
            Hypercubic, periodic along all axes (at an open edge the derivative needs a further convention).
        m2 : float
            Bare mass squared, of either sign if lam > 0.
        lam : float
            Quartic coupling, not negative.
        convention : {"flow", "standard"}
            Which action; see the module docstring.

        Raises
        ------
        ValueError
            If the convention is unknown or an axis is open, and as the constructor does.

        Examples
        --------
        >>> import lattices
        >>> system = Phi4.from_mass(lattices.build("square", (6, 6)), m2=-4.0, lam=8.0, convention="flow")
        >>> system.hop, system.quadratic, system.quartic
        (1.0, 0.0, 8.0)
        """
        check_lattice(lattice)
        if not all(lattice.pbc):
            raise ValueError(f"lattice must be periodic along all axes for from_mass, got pbc={lattice.pbc}")
        m2, lam = finite(m2, "m2"), finite(lam, "lam")
        n_axes = len(lattice.extent)
        if convention == "flow":
            return cls(lattice, hop=1.0, quadratic=2.0 * n_axes + m2, quartic=lam)
        if convention == "standard":
            return cls(lattice, hop=0.5, quadratic=n_axes + 0.5 * m2, quartic=lam / 24.0)
        raise ValueError(f"convention must be 'flow' or 'standard', got {convention!r}")

    @property
    def symmetries(self) -> tuple[str, ...]:
        """Translations along periodic axes, the point group of the lattice, and the sign of the field."""
        return (*self._translation_symmetry, "point_group", "z2")

    @property
    def antiferromagnetic(self) -> bool:
        return self.hop < 0.0 and self.lattice.bipartition is not None

    @property
    def conditions(self) -> tuple[str, ...]:
        """A model may be conditioned on every coupling it was made from, `from_mass` included."""
        return (*self.parameters, *(("m2", "lam") if self._convention else ()))

    @property
    def couplings(self) -> dict[str, float]:
        """Values of the `conditions`."""
        return self.parameters | self._by_mass()

    @property
    def _convention(self) -> str | None:
        """The one of `from_mass` that the hopping is of; None if it is of none."""
        if "hop" not in self.parameters or not all(self.lattice.pbc):
            return None
        return {1.0: "flow", 0.5: "standard"}.get(self.hop)

    def _by_mass(self) -> dict[str, float]:
        """m2 and lam as `from_mass` takes them, if there is a convention."""
        n_axes = len(self.lattice.extent)
        if self._convention is None:
            return {}
        if self._convention == "flow":
            return {"m2": self.quadratic - 2.0 * n_axes, "lam": self.quartic}
        return {"m2": 2.0 * (self.quadratic - n_axes), "lam": 24.0 * self.quartic}

    def replace(self, **changes: Any) -> Self:
        """The same system on the same lattice with some parameters changed.

        Those of `from_mass` too, if its hopping is that of a convention.

        Examples
        --------
        >>> import lattices
        >>> system = Phi4.from_mass(lattices.build("square", (6, 6)), m2=-4.0, lam=8.0, convention="flow")
        >>> system.replace(lam=5.0).parameters
        {'hop': 1.0, 'quadratic': 0.0, 'quartic': 5.0}
        """
        by_mass, convention = self._by_mass(), self._convention
        if convention is None or not set(changes) <= set(by_mass):
            return super().replace(**changes)
        return self._told(type(self).from_mass(self.lattice, **by_mass | changes, convention=convention))

    @property
    def definitions(self) -> dict[str, str]:
        """Definition, with units, of every observable and estimate by name."""
        if "kappa" in self.parameters:
            action = "S = -2 kappa sum_<ij> phi_i phi_j + sum_x [(1 - 2 lam) phi_x^2 + lam phi_x^4]"
        else:
            action = "S = -2 hop sum_<ij> phi_i phi_j + sum_x [quadratic phi_x^2 + quartic phi_x^4]"
        return {
            "energy": f"action {action}, total; dimensionless; average <S>",
            "reduced_energy": "the action S, no additive constant",
            "log_z": "log of Z = integral of exp(-S) over the fields with flat measure, natural logarithm",
            **DEFINITIONS,
            **self._observables.definitions,
            **definitions(("phi2",)),
        }

    @property
    def partial_sums(self) -> tuple[str, ...]:
        return ("sites",)

    def reduced_energy(self, x: Tensor) -> Tensor:
        """The action S at phi = `x`.

        Parameters
        ----------
        x : float32 or float64 tensor, shape (n_batch, *event_shape) or (n_batch, n_sites)
            Field values.

        Returns
        -------
        Tensor, shape (n_batch,)
            Dimensionless.
        """
        return self._energy(self._field(x))

    def gradient(self, x: Tensor) -> Tensor:
        """dS/dphi = 2 quadratic phi + 4 quartic phi^3 - 2 hop (sum over neighbours), shape of x."""
        phi = self._field(x)
        local = phi * (2.0 * self.quadratic + 4.0 * self.quartic * phi * phi)
        return (local - 2.0 * self.hop * self._bonds.neighbours(phi)).reshape(x.shape)

    def reference(self) -> ReferencePath:
        """kappa (or hop) from 0: free sites, log Z = n_sites log int exp(-quadratic x^2 - quartic x^4) dx."""
        name = "kappa" if "kappa" in self.parameters else "hop"
        log_z = self.n_sites * self._log_site_integral()
        return ReferencePath(name, 0.0, self.hop, log_z, draw=self._draw_free)

    def _draw_free(self, n: int, rng: np.random.Generator) -> NDArray[np.float64]:
        return draw_fields(self.quadratic, self.quartic, (n, self.n_sites), rng)

    def _log_site_integral(self) -> float:
        """By the trapezoidal rule, exact to rounding."""
        # Imported here: the exact package brings numba, which training and sampling do without.
        from edgphys.exact.quadrature import field_grid

        nodes, spacing = field_grid(self.quadratic, self.quartic, 2001)
        exponents = -(nodes**2) * (self.quadratic + self.quartic * nodes**2)
        top = float(exponents.max())
        return top + math.log(float(np.exp(exponents - top).sum()) * spacing)

    @property
    def exact(self) -> tuple[str, ...]:
        """Names of the estimates known exactly: for the free field on any lattice, else on the ring."""
        return exact_names(self)

    def exact_results(self) -> dict[str, float]:
        """Exact values of the estimates named in `exact`.

        Examples
        --------
        >>> import lattices
        >>> system = Phi4(lattices.build("chain", (16,)), kappa=0.25, lam=0.022)
        >>> round(system.exact_results()["log_z"], 6)
        9.780479
        """
        return exact_values(self)

    def _energy(self, flat: Tensor) -> Tensor:
        local = flat * (self.quadratic + self.quartic * flat * flat)
        return (flat * (local - 2.0 * self.hop * self._bonds.forward(flat))).sum(1)

    @property
    def action_coefficients(self) -> NDArray[np.float64]:
        """(-2 hop, quadratic, quartic), for the terms (sum_<ij> phi_i phi_j, sum phi^2, sum phi^4)."""
        return np.array([-2.0 * self.hop, self.quadratic, self.quartic])

    def _action_terms(self, flat: Tensor) -> Tensor:
        squares = flat * flat
        pairs = (flat * self._bonds.forward(flat)).sum(1)
        return torch.stack([pairs, squares.sum(1), (squares * squares).sum(1)], dim=1)

    def _measure_more(self, flat: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
        return {"phi2": (flat * flat).mean(axis=1)}


def _check_hypercubic(lattice: Lattice) -> Lattice:
    if lattice.name not in _LATTICES or not is_hypercubic(lattice):
        raise ValueError(f"lattice must be one of {', '.join(_LATTICES)} for phi4, got {lattice.name}")
    return lattice


def _check_normalisable(system: Phi4) -> None:
    """exp(-S) needs quartic > 0, or quartic = 0 and ``quadratic - hop A`` positive definite."""
    quartic_name = "lam" if "lam" in system.parameters else "quartic"
    if system.quartic < 0.0:
        raise ValueError(f"{quartic_name} must be non-negative, got {system.quartic}")
    if system.quartic > 0.0:
        return
    precision = LatticeOperator.from_adjacency(system.lattice, lambda w: system.quadratic - system.hop * w)
    lowest = float(precision.values.min())
    # A zero mode leaves an eigenvalue that is only rounding.
    if lowest <= 1e-12 * abs(system.quadratic):
        raise ValueError(
            f"{quartic_name} must be positive unless the free field is positive definite, "
            f"got {quartic_name}=0.0 with lowest mode {lowest:.3g}"
        )
