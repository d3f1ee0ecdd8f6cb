# SPDX-License-Identifier: MIT
"""The one table of what is measured, estimated and diagnosed: a record for each name, in the order shown.

Estimates are functions of means of per-draw (primary) columns; a record holds the function next to its
words; the functions are in `edgphys.formulas`. Systems, estimators, the schema of datasets, tables and
pictures read this table; a name that is not in it, such as an observable of a user's own system, gets a plain
record (`record`) and is shown after the rest.

E is the total energy (a field theory: the action, with beta = 1), m the magnetization per site; k_B = 1.
Systems without a lattice count variables instead of sites. Formulas take complex numbers: derivatives are
complex steps.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from edgphys.formulas import (
    AXES,
    SHIFTED,
    STAGGERED_PREFIX,
    Means,
    binder_cumulant,
    correlation_length,
    entropy,
    free_energy_difference,
    helicity_modulus,
    magnetization,
    specific_heat,
    staggered,
    susceptibility,
)

__all__ = [
    "AXES",
    "COSTS",
    "DIAGNOSTICS",
    "ESTIMATES",
    "LADDER",
    "PRIMARIES",
    "ROTOR",
    "SHIFTED",
    "STAGGERED",
    "TABLE",
    "Observable",
    "definitions",
    "ordered",
    "record",
    "table",
]


@dataclass(frozen=True)
class Observable:
    """One name and all that is known of it.

    Attributes
    ----------
    name : str
        In datasets; its error bar is ``<name>_err``.
    definition : str
        What the number is, with units.
    role : str
        "estimate" (in every dataset of estimates), "own" (an estimate that some systems have), "staggered"
        (one of antiferromagnets), "primary" (a column per draw only), "diagnostic" (of weights or chains),
        "ladder" (of a ladder), "bridge" (of a bridge) or "cost".
    title, symbol, unit : str
        For pictures: words, TeX, and unit: "energy", or as it is written.
    scale : str
        "total", "per site" or "intensive".
    needs : tuple of str
        Primary columns of the formula, and ``log_z``.
    denominators : tuple of str
        Those of them that it divides by.
    low, high : float
        Smallest and largest possible value.
    formula : callable or None
        Maps constants (`edgphys.estimators.derived.Primaries`) and means of columns to the estimate.
    in_table, in_picture : bool
        Whether tables and pictures show it unasked.
    joint : bool
        Whether it is about the joint space of configurations and latents.
    """

    name: str
    definition: str
    role: str = "estimate"
    title: str = ""
    symbol: str = ""
    unit: str = ""
    scale: str = "intensive"
    needs: tuple[str, ...] = ()
    denominators: tuple[str, ...] = ()
    low: float = -math.inf
    high: float = math.inf
    formula: Callable[[Any, Means], np.ndarray] | None = None
    in_table: bool = True
    in_picture: bool = True
    joint: bool = False

    def __post_init__(self) -> None:
        words = self.name.replace("_", " ")
        object.__setattr__(self, "title", self.title or words)
        object.__setattr__(self, "symbol", self.symbol or words)

    def definition_without_lattice(self) -> str:
        """The definition for a system of variables."""
        return self.definition.replace("n_sites", "n_variables")


def _mean_of(name: str) -> dict[str, Any]:
    return {"needs": (name,), "formula": lambda p, mean: mean[name]}


# ----------------------------------------------------------------------------------------------- the records

_M2, _M4 = "magnetization_2", "magnetization_4"

_ESTIMATES = (
    Observable(
        "log_z",
        "log of the partition function, natural logarithm",
        title="log partition function",
        symbol=r"$\ln Z$",
        scale="total",
        in_picture=False,
    ),
    Observable(
        "free_energy",
        "-temperature log_z; same units as energy",
        symbol="$F$",
        unit="energy",
        scale="total",
    ),
    Observable(
        "free_energy_difference",
        "F_a - F_b = -temperature log(p_a / p_b) of the two basins, p the populations; same units as energy",
        role="own",
        formula=free_energy_difference,
    ),
    Observable(
        "energy",
        "<E>, total, in units of the coupling (a field theory: the action, dimensionless)",
        symbol=r"$\langle E\rangle$",
        unit="energy",
        scale="total",
        **_mean_of("energy"),
    ),
    Observable(
        "entropy",
        "log_z + beta <E> = (<E> - free_energy) / temperature, total; units of k_B; of continuous variables "
        "the differential entropy of configurations, -int p log p in the measure of Z",
        symbol="$S$",
        unit=r"$k_\mathrm{B}$",
        scale="total",
        needs=("log_z", "energy"),
        formula=entropy,
    ),
    Observable(
        "specific_heat",
        "beta^2 (<E^2> - <E>^2) / n_sites; units of k_B",
        title="specific heat per site",
        symbol="$c$",
        unit=r"$k_\mathrm{B}$",
        scale="per site",
        needs=("energy", SHIFTED),
        low=0.0,
        formula=specific_heat,
    ),
    Observable(
        "magnetization",
        "m = sum over sites / n_sites per draw; average <m>; dimensionless",
        symbol=r"$\langle m\rangle$",
        scale="per site",
        needs=("magnetization",),
        formula=magnetization,
    ),
    Observable(
        "abs_magnetization",
        "|m| per draw; average <|m|>; dimensionless",
        title="absolute magnetization",
        symbol=r"$\langle |m|\rangle$",
        scale="per site",
        **_mean_of("abs_magnetization"),
    ),
    Observable(
        "susceptibility",
        "beta n_sites (<m^2> - <m>^2), with <m> = 0 when Z2 symmetric; 1/energy",
        symbol=r"$\chi$",
        scale="per site",
        needs=(_M2,),
        low=0.0,
        formula=susceptibility,
    ),
    Observable(
        "binder_cumulant",
        "1 - <m^4> / (3 <m^2>^2); dimensionless",
        title="Binder cumulant",
        symbol="$U_4$",
        needs=(_M2, _M4),
        denominators=(_M2,),
        high=2.0 / 3.0,
        formula=binder_cumulant,
    ),
    Observable(
        "correlation_length",
        "second moment: mean over axes of sqrt(<correlator_zero>/<correlator_min> - 1) / khat, khat the "
        "lattice momentum of the lowest wave along the axis (2 sin(pi/L) on hypercubic lattices); axes of "
        "equal khat share the mean of their correlators; in lattice spacings; NaN where a ratio is below 1 "
        "or an axis is open; with a field correlator_zero is taken connected",
        symbol=r"$\xi$",
        unit="lattice spacing",
        needs=("correlator_zero", "correlator_min"),
        denominators=("correlator_min",),
        low=0.0,
        formula=correlation_length,
    ),
    Observable(
        "phi2",
        "mean over sites of phi^2 per draw; average <phi^2>; dimensionless",
        title="field squared",
        symbol=r"$\langle \phi^2\rangle$",
        scale="per site",
        **_mean_of("phi2"),
    ),
    Observable(
        "elbo",
        "mean of log_weight_joint: a lower bound on log_z in nats, not an estimate of it",
        scale="total",
        in_table=False,
        in_picture=False,
        joint=True,
    ),
)


def _plain(role: str, words: dict[str, str], hidden: tuple[str, ...] = (), joint: tuple[str, ...] = ()):
    """Records of one role from name and definition."""
    return tuple(
        Observable(name, text, role, in_table=name not in hidden, in_picture=False, joint=name in joint)
        for name, text in words.items()
    )


def _helicity(axis: str) -> Observable:
    """The record of the helicity modulus of one axis, or of all without a name."""
    end, words = (f"_{axis}", f"along axis {axis}, ") if axis else ("", "mean over the periodic axes, ")
    return Observable(
        f"helicity_modulus{end}",
        f"spin stiffness Y = <C> - beta <Q>, {words}second derivative by a twist per length of the free "
        "energy per site; same units as energy",
        role="own",
        symbol=rf"$\Upsilon_{axis}$" if axis else r"$\Upsilon$",
        unit="energy",
        needs=(f"helicity_cosine{end}", f"helicity_sine_2{end}"),
        formula=helicity_modulus(end),
    )


_ROTOR = (
    *map(_helicity, ("", *AXES)),
    Observable(
        "vorticity",
        "mean over plaquettes of |q|, q the winding number of the spins around it, per draw; average; "
        "vortices of either sign per plaquette",
        role="own",
        symbol=r"$\langle |q|\rangle$",
        low=0.0,
        **_mean_of("vorticity"),
    ),
)
_PER_DRAW = _plain(
    "primary",
    {
        _M2: "m^2 per draw; dimensionless",
        _M4: "m^4 per draw; dimensionless",
        "correlator_zero": "n_sites m^2 per draw: structure factor at zero momentum, not subtracted",
        "energy_slope": "derivative of the energy estimator by beta: of a quantum system",
        "correlator_min": "mean over axes of |sum_x s_x exp(i k.r_x)|^2 / n_sites, "
        "k = reciprocal vector/extent",
        **{f"correlator_min_{axis}": f"its part along axis {axis}, |sum|^2 / n_sites" for axis in AXES},
    },
)
_TWISTS = _plain(
    "primary",
    {
        f"helicity_{part}{end}": words + (f" along axis {end[1:]}" if end else ", mean over periodic axes")
        for part, words in (
            (
                "cosine",
                "C = (2/n) sum over bonds of J e^2 S_i.S_j / n_sites, n components, e its length",
            ),
            (
                "sine_2",
                "Q = mean over planes (a, b) of (sum over bonds of J e (S_i^a S_j^b - S_i^b S_j^a))^2 / "
                "n_sites, e length of the bond",
            ),
        )
        for end in ("", *(f"_{axis}" for axis in AXES))
    },
)
_COLUMNS = tuple(each.name for each in _PER_DRAW)
_DIAGNOSTICS = _plain(
    "diagnostic",
    {
        "n_draws": "number of draws, over all chains",
        "n_eff": "n_draws / (2 tau_int)",
        "tau_int": "largest integrated autocorrelation time of the primary observables, in draws; "
        "1/2 at least",
        "tau_int_err": "standard error of tau_int",
        "r_hat": "largest rank-normalised split R-hat over the primary observables",
        "converged": "1 when the chains pass all limits, else 0 with the reasons in the attribute warning",
        "ess": "Kish effective sample size of the joint weights, (sum w)^2 / sum w^2, as a fraction of "
        "n_draws",
        "ess_count": "Kish effective sample size of the joint weights, (sum w)^2 / sum w^2",
        "max_weight": "largest joint weight as a share of the sum",
        "pareto_k": "tail index of the joint weights (arXiv:1507.02646)",
        "unseen_share": "part of the joint target that the draws miss, from draws sent back through the "
        "encoder",
        "unseen_share_err": "one standard error of unseen_share",
        "reliable": "1 when the weights pass all limits, else 0 with the reasons in the attribute warning",
        "log_z_low": "16 % quantile of log_z over bootstrap copies",
        "log_z_high": "84 % quantile of log_z over bootstrap copies",
    },
    hidden=(
        "tau_int_err",
        "converged",
        "ess_count",
        "unseen_share_err",
        "reliable",
        "log_z_low",
        "log_z_high",
    ),
    joint=("ess", "ess_count", "max_weight", "pareto_k", "unseen_share"),
)
_RUNS = _plain(
    "diagnostic",
    {
        "n_runs": "independent runs that the cell is an average of, weighted by their numbers of draws",
        "runs_chi2": "chi^2 per degree of freedom between the runs of the cell, of the result they agree in "
        "least",
    },
)
_LADDER = _plain(
    "ladder",
    {
        "n_rungs": "rungs of the ladder from the reference",
        "swap_rate": "lowest acceptance of swaps between neighbouring rungs",
        "overlap": "lowest overlap of neighbouring rungs (MBAR)",
        "log_z_quadrature": "difference of two quadrature rules in log_z, part of log_z_err",
    },
)
_BOUNDS = {
    "log_z_upper": "mean of the log weight of reference configurations: an upper bound on log_z in nats",
    "gap": "log_z_upper - elbo: what the two bounds leave open, in nats",
}
_BRIDGE = tuple(
    Observable(name, text, "bridge", scale="total", in_picture=False, joint=True)
    for name, text in _BOUNDS.items()
) + _plain(
    "bridge",
    {
        "bridge_overlap": "chance that a draw of the model might be one of the reference, were there equally "
        "many of both; 1/2 at best",
        "n_bridge": "effective draws in the overlap, of the side with fewer",
        "ess_reverse": "Kish effective sample size of the inverse weights of the reference, as a fraction",
        "mismatch": "how far the two sides are from belonging to one pair of densities, in standard errors",
    },
    joint=("bridge_overlap", "n_bridge", "ess_reverse", "mismatch"),
)
_COSTS = tuple(
    replace(each, title=title)
    for each, title in zip(
        _plain(
            "cost",
            {
                "n_energy_calls": "evaluations of the energy, counted per configuration",
                "n_gradient_calls": "evaluations of its gradient, counted per configuration",
                "wall_time": "wall time of the cell in seconds, training included",
            },
        ),
        ("energy evaluations", "gradient evaluations", "wall time"),
        strict=True,
    )
)


def _staggered(each: Observable) -> Observable:
    """The record of an estimate or column of the staggered magnetization m_s."""
    place = STAGGERED_PREFIX + each.name
    return replace(
        each,
        name=place,
        role="staggered" if each.role == "estimate" else each.role,
        title=f"staggered {each.title}",
        symbol=each.symbol.replace(r"\chi", r"\chi_s")
        .replace("m", "m_s")
        .replace("U_4", "U_{4,s}")
        .replace(r"\xi", r"\xi_s")
        if each.symbol.startswith("$")
        else f"staggered {each.symbol}",
        definition="with s_x eps_x for s_x, eps = +1, -1 on the two sublattices: " + each.definition,
        needs=tuple(STAGGERED_PREFIX + name for name in each.needs),
        denominators=tuple(STAGGERED_PREFIX + name for name in each.denominators),
        formula=each.formula and staggered(each.formula),
    )


_ORDER = ("magnetization", "abs_magnetization", "susceptibility", "binder_cumulant", "correlation_length")
_STAGGERED = tuple(
    _staggered(each) for each in (*_ESTIMATES, *_PER_DRAW) if each.name in (*_ORDER, *_COLUMNS)
)
_FIRST = [each.name for each in _ESTIMATES].index(_ORDER[0])  # staggered ones lead where they are

TABLE: dict[str, Observable] = {
    each.name: each
    for each in (
        *(*_ESTIMATES[:_FIRST], *_STAGGERED, *_ESTIMATES[_FIRST:], *_ROTOR),
        *(*_PER_DRAW, *_TWISTS, *_DIAGNOSTICS, *_RUNS, *_LADDER, *_BRIDGE, *_COSTS),
    )
}
ESTIMATES = tuple(each.name for each in _ESTIMATES if each.role == "estimate")
STAGGERED = tuple(each.name for each in _STAGGERED if each.role == "staggered")
ROTOR = tuple(each.name for each in _ROTOR)
PRIMARIES = (
    *("energy", "magnetization", "abs_magnetization"),
    *(each.name for each in _PER_DRAW),
    "phi2",
    "vorticity",
    *(each.name for each in _TWISTS),
    *(STAGGERED_PREFIX + name for name in ("magnetization", "abs_magnetization", *_COLUMNS)),
)
DIAGNOSTICS = tuple(each.name for each in _DIAGNOSTICS)
LADDER = tuple(each.name for each in _LADDER)
COSTS = tuple(each.name for each in _COSTS)


def definitions(names: Iterable[str], *, on_lattice: bool = True) -> dict[str, str]:
    """Definitions of known names.

    Examples
    --------
    >>> definitions(["specific_heat"], on_lattice=False)
    {'specific_heat': 'beta^2 (<E^2> - <E>^2) / n_variables; units of k_B'}
    """
    return {
        name: TABLE[name].definition if on_lattice else TABLE[name].definition_without_lattice()
        for name in names
    }


def table(attrs: Mapping[str, Any]) -> dict[str, Observable]:
    """The table for one dataset: with the observables that its attributes name, and its own definitions.

    Examples
    --------
    >>> own = table({"observables": '["upper"]', "definitions": '{"upper": "1 above, else 0"}'})["upper"]
    >>> own.role, own.definition, own.symbol
    ('own', '1 above, else 0', 'upper')
    """
    given, units = (json.loads(attrs.get(name, "{}")) for name in ("definitions", "units"))
    known = {name: replace(each, definition=given.get(name, each.definition)) for name, each in TABLE.items()}
    for name in json.loads(attrs.get("observables", "[]")):
        words, unit = given.get(name, "average over the draws"), units.get(name, "")
        known.setdefault(name, Observable(name, words, "own", unit=unit))
    return known


def record(name: str, attrs: Mapping[str, Any]) -> Observable:
    """The record of any name; a plain one for a name that is in no table.

    Examples
    --------
    >>> record("energy", {}).scale, record("bond_length", {}).title
    ('total', 'bond length')
    """
    given = json.loads(attrs.get("definitions", "{}"))
    return table(attrs).get(name) or Observable(name, given.get(name, ""), "own")


def ordered(names: Iterable[str], attrs: Mapping[str, Any]) -> list[str]:
    """`names` in the order shown: the table, the dataset's own, then the unknown by alphabet.

    Examples
    --------
    >>> ordered(["zeta", "phi2", "upper", "alpha", "energy"], {"observables": '["upper"]'})
    ['energy', 'phi2', 'upper', 'alpha', 'zeta']
    """
    known = table(attrs)
    results = [name for name, each in known.items() if each.role in ("estimate", "own", "staggered")]
    place = {name: k for k, name in enumerate(dict.fromkeys([*results, *known]))}
    return sorted(names, key=lambda name: (place.get(name, len(place)), name))
