# SPDX-License-Identifier: MIT
"""The systems that ship, as records that a command line or a notebook can list, and construction by name.

A new system is one new file with an `AbstractSystem` and one record here.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgphys.errors import UnknownNameError
from edgphys.systems.base import AbstractSystem
from edgphys.systems.continuous.double_well import DoubleWell
from edgphys.systems.continuous.harmonic import Harmonic
from edgphys.systems.continuous.logistic import LogisticRegression
from edgphys.systems.continuous.many_well import ManyWell
from edgphys.systems.continuous.mueller_brown import MuellerBrown
from edgphys.systems.continuous.planar import PRESETS, Planar
from edgphys.systems.lattice.ising import Ising
from edgphys.systems.lattice.phi4 import Phi4
from edgphys.systems.particles.double_well_particles import DoubleWellParticles
from edgphys.systems.particles.lennard_jones import LennardJones
from lattices import Lattice

__all__ = ["Parameter", "SystemRecord", "available", "build"]


@dataclass(frozen=True)
class Parameter:
    """One constructor keyword: its name, its meaning with units, and its default (None: must be given).

    A default that is text says that all values are: names, which cannot be scanned.
    """

    name: str
    meaning: str
    default: float | str | None = None


@dataclass(frozen=True)
class SystemRecord:
    """What ships under one name.

    Attributes
    ----------
    name : str
        Name in commands and datasets.
    system_class : type
        Constructed as ``system_class(lattice, **parameters)``, without `lattice` where there is none.
    energy : str
        The energy, or action, in one line.
    parameters : tuple of Parameter
        Keywords of the constructor.
    lattices : str
        Where it can live; "none" for a system without one.
    exact : tuple of str
        What is exactly known, and when.
    """

    name: str
    system_class: type[AbstractSystem]
    energy: str
    parameters: tuple[Parameter, ...]
    lattices: str
    exact: tuple[str, ...]


_RECORDS = (
    SystemRecord(
        name="ising",
        system_class=Ising,
        energy="H = -J sum_<ij> s_i s_j - h sum_i s_i, weight exp(-H/T)",
        parameters=(
            Parameter("temperature", "T, positive, in units of J (k_B = 1)"),
            Parameter("coupling", "J, positive for a ferromagnet", 1.0),
            Parameter("field", "h", 0.0),
        ),
        lattices="any lattice, periodic or open",
        exact=(
            "all estimates by enumeration up to 20 sites",
            "square torus without field: log_z, free_energy, energy, specific_heat (Kaufman)",
            "periodic chain up to 4096 sites: all estimates",
        ),
    ),
    SystemRecord(
        name="phi4",
        system_class=Phi4,
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
    ),
    SystemRecord(
        name="double_well",
        system_class=DoubleWell,
        energy="E = barrier (x^2/position^2 - 1)^2 + tilt x + stiffness y^2/2 (y in two dimensions)",
        parameters=(
            Parameter("n_dims", "1 or 2", 1),
            Parameter("temperature", "T, positive, in units of E (k_B = 1)", 1.0),
            Parameter("barrier", "height of the barrier, positive", 4.0),
            Parameter("position", "distance of the minima from the barrier, positive", 1.0),
            Parameter("tilt", "force towards the left", 0.0),
            Parameter("stiffness", "spring constant of y, positive", 1.0),
        ),
        lattices="none",
        exact=("log_z, free_energy, energy, specific_heat; difference of the basins", "by quadrature"),
    ),
    SystemRecord(
        name="double_well_particles",
        system_class=DoubleWellParticles,
        energy="E = sum over pairs [a u + b u^2 + c u^4] / tau, u = distance - offset; mean-free positions",
        parameters=(
            Parameter("n_particles", "at least 2", 4),
            Parameter("n_axes", "dimension of space", 2),
            Parameter("temperature", "T, positive, in units of E (k_B = 1)", 1.0),
            Parameter("a", "coefficient of u", 0.0),
            Parameter("b", "coefficient of u^2", -4.0),
            Parameter("c", "coefficient of u^4, positive", 0.9),
            Parameter("offset", "distance at which u = 0", 4.0),
            Parameter("tau", "divides the energy, positive", 1.0),
        ),
        lattices="none",
        exact=("2 particles, or up to 4 in two dimensions, by quadrature",),
    ),
    SystemRecord(
        name="harmonic",
        system_class=Harmonic,
        energy="E = 1/2 sum_i k_i x_i^2, k_i = stiffness ratio^(i/(d-1))",
        parameters=(
            Parameter("n_dims", "d, at least 1", 1),
            Parameter("temperature", "T, positive, in units of E (k_B = 1)", 1.0),
            Parameter("stiffness", "smallest spring constant, positive", 1.0),
            Parameter("ratio", "largest spring constant over the smallest, positive", 1.0),
        ),
        lattices="none",
        exact=("log_z, free_energy, energy, specific_heat in closed form",),
    ),
    SystemRecord(
        name="lennard_jones",
        system_class=LennardJones,
        energy="E = pair_count epsilon sum over pairs [(rm/r)^12 - 2 (rm/r)^6] + oscillator sum |x_i|^2 / 2",
        parameters=(
            Parameter("n_particles", "at least 2", 13),
            Parameter("n_axes", "dimension of space", 3),
            Parameter("temperature", "T, positive, in units of E (k_B = 1)", 1.0),
            Parameter("pair_count", "1 or 2: how often each pair counts", 1),
            Parameter("epsilon", "depth of a pair, positive", 1.0),
            Parameter("rm", "distance of the minimum of a pair, positive", 1.0),
            Parameter("oscillator", "spring constant towards the centre, positive", 1.0),
            Parameter("core", "radius below which a pair is softened", 0.0),
        ),
        lattices="none",
        exact=("2 particles, by quadrature",),
    ),
    SystemRecord(
        name="logistic_regression",
        system_class=LogisticRegression,
        energy="E = sum over data log(1 + exp(-y w.x)) + precision |w|^2 / 2: a Bayesian posterior of w",
        parameters=(
            Parameter("n_features", "at least 1", 10),
            Parameter("n_train", "number of data", 500),
            Parameter("n_test", "number of data held out", 1000),
            Parameter("precision", "of the Gaussian prior, positive", 1.0),
            Parameter("data_seed", "of the generated data", 0),
            Parameter("temperature", "1 for the posterior", 1.0),
        ),
        lattices="none",
        exact=(),
    ),
    SystemRecord(
        name="many_well",
        system_class=ManyWell,
        energy="E = sum over pairs (x, y) of x^4 - 6 x^2 - x/2 + y^2/2",
        parameters=(
            Parameter("n_dims", "even", 32),
            Parameter("temperature", "T, positive, in units of E (k_B = 1)", 1.0),
        ),
        lattices="none",
        exact=("log_z, free_energy, energy, specific_heat by quadrature of one pair",),
    ),
    SystemRecord(
        name="mueller_brown",
        system_class=MuellerBrown,
        energy="E = sum_k A_k exp(a_k u^2 + b_k u v + c_k v^2), u = x - x_k, v = y - y_k, four terms",
        parameters=(Parameter("temperature", "T, positive, in units of E (k_B = 1)", 15.0),),
        lattices="none",
        exact=("log_z, free_energy, energy, specific_heat; difference of the basins", "by quadrature"),
    ),
    SystemRecord(
        name="planar",
        system_class=Planar,
        energy="E = -log of a Gaussian mixture, or min_k (|x| - R_k)^2 / s for rings, in the plane",
        parameters=(
            Parameter("preset", f"one of {', '.join(PRESETS)}", PRESETS[0]),
            Parameter("temperature", "1 for the published targets", 1.0),
        ),
        lattices="none",
        exact=("log_z, free_energy, energy, specific_heat by quadrature",),
    ),
)


def available() -> tuple[SystemRecord, ...]:
    """Records of all systems.

    Examples
    --------
    >>> [record.name for record in available()][:3]
    ['ising', 'phi4', 'double_well']
    """
    return _RECORDS


def build(name: str, lattice: Lattice | None = None, **parameters: float | str) -> AbstractSystem:
    """The system called `name`, on `lattice` if it lives on one.

    Parameters
    ----------
    name : str
        One of the names in `available`.
    lattice : Lattice, optional
        Geometry, for the systems that have one.
    **parameters : float or str
        Keywords of its constructor, such as the `parameters` of another instance.

    Raises
    ------
    UnknownNameError
        If there is no such system.
    TypeError, ValueError
        As the constructor does; TypeError also for a lattice given in vain.

    Examples
    --------
    >>> import lattices
    >>> build("ising", lattices.build("chain", (4,)), temperature=1.0)
    Ising(chain 4, temperature=1, coupling=1, field=0)
    >>> build("mueller_brown", temperature=10.0)
    MuellerBrown(temperature=10)
    """
    for record in _RECORDS:
        if record.name == name and record.lattices != "none":
            return record.system_class(lattice, **parameters)
        if record.name == name:
            if lattice is not None:
                raise TypeError(f"lattice must be left out for {name}, got {lattice!r}")
            return record.system_class(**parameters)
    names = ", ".join(record.name for record in _RECORDS)
    raise UnknownNameError(f"system must be one of {names}, got {name!r}")
