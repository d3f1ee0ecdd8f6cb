# SPDX-License-Identifier: MIT
"""Labels of axes, with units: of results, of what is measured over bins and distances, of couplings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from edgphys.observables import record

__all__ = ["coupling_label", "coupling_symbol", "density_label", "energy_unit", "label", "with_unit"]

_COUPLINGS = {
    "extent": r"size $L$",
    "temperature": r"temperature $T$",
    "coupling": r"coupling $J$",
    "field": r"field $h$",
    "kappa": r"hopping parameter $\kappa$",
    "lam": r"quartic coupling $\lambda$",
    "m2": r"mass squared $m^2$",
}
# Words, and unit: "energy" and "length" are those of the system.
_NAMES = {
    "bound": ("minus the loss", ""),
    "connected": (r"$\langle s_0 s_r\rangle - \langle s\rangle^2$", ""),
    "correlation": (r"$\langle s_0 s_r\rangle$", ""),
    "density": ("density", ""),
    "distance": ("distance $r$", "length"),
    "draw": ("draw", ""),
    "energy": ("energy $E$", "energy"),
    "free_energy": ("free energy $F$", "energy"),
    "free_energy_difference": (r"$\Delta F$", "energy"),
    "gap": (r"$\ln Z$ - bound", "nats"),
    "learning_rate": ("learning rate", ""),
    "log_density": (r"$\ln g(E)$", ""),
    "log_weight_joint": (r"$\ln w$", "nats"),
    "log_weight_reverse": (r"$\ln w$", "nats"),
    "log_z": (r"$\ln Z$", ""),
    "overlap": ("overlap with the next rung", ""),
    "population": ("population", ""),
    "radial_density": ("radial density", ""),
    "rung": ("rung", ""),
    "step": ("step", ""),
    "structure_factor": ("$S(k)$", ""),
    "swap_rate": ("swap rate with the next rung", ""),
    "tau_int": (r"$\tau_\mathrm{int}$", "draws"),
    "wave": ("wave vector, by number", ""),
}


def with_unit(words: str, unit: str) -> str:
    """A label with its unit in brackets; a number without one has none."""
    return f"{words} [{unit}]" if unit else words


def energy_unit(attrs: Mapping[str, Any]) -> str:
    """Unit of energies of a system: J where it is the coupling 1, none of an action, else that of T."""
    parameters = json.loads(attrs.get("parameters", "{}"))
    scanned = json.loads(attrs.get("couplings", "[]"))
    if "lattice" in attrs and "temperature" not in {*parameters, *scanned}:
        return ""
    return "$J$" if parameters.get("coupling") == 1.0 else "units of $T$"


def _unit(name: str, attrs: Mapping[str, Any]) -> str:
    if name == "energy":
        return energy_unit(attrs)
    if name == "length":
        return "lattice spacing" if "lattice" in attrs else "units of length"
    return name


def label(name: str, attrs: Mapping[str, Any]) -> str:
    """Label of the axis of a variable or of a dim.

    Examples
    --------
    >>> label("tau_int", {}), label("energy", {"parameters": '{"temperature": 1.0}'})
    ('$\\\\tau_\\\\mathrm{int}$ [draws]', 'energy $E$ [units of $T$]')
    """
    if name in _COUPLINGS:
        return coupling_label(name, attrs)
    if name in _NAMES:
        words, unit = _NAMES[name]
    else:
        about = record(name, attrs)
        words, unit = about.symbol, about.unit
    return with_unit(words, _unit(unit, attrs))


def density_label(name: str, dim: str, attrs: Mapping[str, Any]) -> str:
    """As `label`; of a probability density over `dim` with the unit that it has from there.

    Examples
    --------
    >>> density_label("density", "distance", {"lattice": "square"})
    'density [1/(lattice spacing)]'
    """
    if name not in ("density", "radial_density"):
        return label(name, attrs)
    unit = _unit(_NAMES[dim][1], attrs) if dim in _NAMES else ""
    return with_unit(_NAMES[name][0], f"1/({unit})" if unit else "")


def coupling_label(name: str, attrs: Mapping[str, Any]) -> str:
    """Label of the axis of a coupling.

    Examples
    --------
    >>> coupling_label("temperature", {"lattice": "square", "parameters": '{"coupling": 1.0}',
    ...                                "couplings": '["temperature"]'})
    'temperature $T$ [$J/k_\\\\mathrm{B}$]'
    """
    words = _own_label(name, attrs) or _COUPLINGS.get(name, name)
    unit = energy_unit(attrs)
    if name == "temperature":
        return with_unit(words, r"$J/k_\mathrm{B}$" if unit == "$J$" else r"$k_\mathrm{B}=1$")
    return with_unit(words, unit) if name in ("field", "longitudinal_field") else words


def coupling_symbol(name: str, attrs: Mapping[str, Any]) -> str:
    """The symbol of a coupling, as a formula; "" if it has none.

    Examples
    --------
    >>> coupling_symbol("field", {"system": "ising"}), coupling_symbol("n_slices", {})
    ('$h$', '')
    >>> coupling_symbol("field", {"system": "transverse_ising"})
    '$\\\\Gamma$'
    """
    words = _own_label(name, attrs) or _COUPLINGS.get(name, name)
    return "$" + words.split("$")[1] + "$" if "$" in words else ""


def _own_label(name: str, attrs: Mapping[str, Any]) -> str:
    """What the system calls it, if it is one that ships and the usual words are not right."""
    from edgphys.systems.registry import available

    records = [one for one in available() if one.name == attrs.get("system")]
    labels = {each.name: each.label for one in records for each in one.parameters}
    return labels.get(name, "")
