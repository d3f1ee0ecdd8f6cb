# SPDX-License-Identifier: MIT
"""Which decoder samples which system: the registry of recipes, by name and by the geometry of the system.

decoder        systems
refinement     Ising, phi^4, finitely many states and angles on a lattice of any size: the default there
field          on a lattice; equivariant under the space group; the default for other lattice systems
mixture        any differentiable system of up to some dozens of variables
hamiltonian    the same, with Hamiltonian dynamics of the energy in the decoder (GHD)
growth         clusters of particles, placed one after the other by learned laws: the default there
particles      the same by pair flows, equivariant under S_n x E(d), for a range of couplings too

Where there are two defaults the options that are given decide too: a target or an option of one of the two
chooses it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from edgphys._checks import choice
from edgphys.edg.core.conditions import Conditions
from edgphys.edg.core.model_options import ModelOptions
from edgphys.edg.core.recipe import AbstractRecipe
from edgphys.edg.field.recipe import FieldRecipe
from edgphys.edg.growth.recipe import GrowthRecipe
from edgphys.edg.mixture.recipe import HamiltonianRecipe, MixtureRecipe
from edgphys.edg.particles.recipe import ParticleRecipe
from edgphys.edg.refinement.recipe import RefinementRecipe
from edgphys.errors import ArgumentTypeError, ArgumentValueError, UnknownNameError
from edgphys.mcmc.algorithms import algorithms_for
from edgphys.systems.base import AbstractSystem

__all__ = ["RECIPES", "option_names", "reason_for", "recipe_for"]

RECIPES: dict[str, AbstractRecipe] = {
    recipe.name: recipe
    for recipe in (
        RefinementRecipe(),
        FieldRecipe(),
        MixtureRecipe(),
        HamiltonianRecipe(),
        GrowthRecipe(),
        ParticleRecipe(),
    )
}
_SHARED = {one.name for one in fields(ModelOptions)}


def option_names() -> tuple[str, ...]:
    """Names of the options of all decoders."""
    names = [name for recipe in RECIPES.values() for name in _names(recipe)]
    return tuple(dict.fromkeys(["decoder", *names]))


def _names(recipe: AbstractRecipe) -> list[str]:
    """Options of one decoder, its own before those that all have."""
    return sorted((one.name for one in fields(recipe.options)), key=lambda name: name in _SHARED)


def recipe_for(system: AbstractSystem, given: Mapping[str, Any]) -> tuple[AbstractRecipe, ModelOptions]:
    """The recipe for a system, and its completed options.

    Parameters
    ----------
    system : AbstractSystem
    given : mapping
        Options; those that are None or "auto" are left to the recipe.

    Raises
    ------
    UnknownNameError, ArgumentTypeError, ArgumentValueError
        For a name, a type or a value that is not one of those allowed, or an option of another decoder.

    Examples
    --------
    >>> from edgphys.systems import DoubleWell
    >>> recipe, options = recipe_for(DoubleWell(), {"decoder": "hamiltonian"})
    >>> recipe.name, options.n_leapfrog
    ('hamiltonian', 4)
    """
    unknown = [name for name in given if name not in option_names()]
    if unknown:
        raise ArgumentTypeError(
            f"{unknown[0]} is no option of EDG; there are {', '.join(option_names())}", unknown[0]
        )
    given = _asked(given)
    defaults = [recipe for recipe in RECIPES.values() if recipe.default_of == system.geometry]
    able = [recipe.name for recipe in RECIPES.values() if recipe.serves(system) is None]
    if not able:
        reasons = "; ".join(str(recipe.serves(system)) for recipe in defaults)
        raise UnknownNameError(
            f"system must be one that a decoder serves, got {system!r}: {reasons}{_instead(system)}", "system"
        )
    name = given.pop("decoder", None) or _chosen(system, given, defaults).name
    allowed = ("auto", *(recipe.name for recipe in defaults if recipe.name in able), *able)
    allowed = tuple(dict.fromkeys(allowed))
    if isinstance(name, str) and name in RECIPES and name not in allowed:
        words = f"one of {', '.join(allowed)}, got {name!r}"
        raise UnknownNameError(f"decoder must be {words}: {RECIPES[name].serves(system)}", "decoder")
    recipe = RECIPES[choice(name, "decoder", allowed)]
    names = _names(recipe)
    foreign = next((option for option in given if option not in names), None)
    if foreign is not None:
        raise ArgumentValueError(
            f"{foreign} is no option of decoder={name!r} for {system.name}: use {', '.join(names)}; "
            f"got {foreign}={given[foreign]!r}",
            foreign,
        )
    options = recipe.options(**given)
    return recipe, recipe.complete(system, replace(options, conditions=_ranges(system, recipe, options)))


def _instead(system: AbstractSystem) -> str:
    """What serves a system that no decoder does, as the end of a sentence."""
    chains = algorithms_for(system)
    ladder = " and ep.free_energy by mbar or ti" if system.has_reference else ""
    return f"; chains by {', '.join(chains)}{ladder} serve it" if chains else ""


def _ranges(system: AbstractSystem, recipe: AbstractRecipe, options: ModelOptions) -> Any:
    """The checked conditions; None if there are none."""
    conditions = Conditions.of(system, options.conditions)
    if conditions and not recipe.conditional:
        able = ", ".join(one.name for one in RECIPES.values() if one.conditional)
        raise ArgumentValueError(
            f"conditions must be left out for decoder={recipe.name!r} (they need {able}), got {conditions}",
            "conditions",
        )
    return dict(conditions.ranges) or None


def _asked(given: Mapping[str, Any]) -> dict[str, Any]:
    """Options that are not left to the recipe."""
    return {
        name: value
        for name, value in given.items()
        if value is not None and not (isinstance(value, str) and value == "auto")
    }


def _chosen(
    system: AbstractSystem, given: Mapping[str, Any], defaults: list[AbstractRecipe]
) -> AbstractRecipe:
    """The decoder where none is named: that of the target, else the first default that serves all options."""
    for recipe in RECIPES.values():
        if given.get("target") in recipe.targets:
            return recipe
    able = [recipe for recipe in defaults if recipe.serves(system) is None]
    fitting = (recipe for recipe in able if not recipe.targets or "target" not in given)
    if given.get("conditions"):
        fitting = (recipe for recipe in fitting if recipe.conditional)
    return next((recipe for recipe in fitting if set(given) <= set(_names(recipe))), able[-1])


def reason_for(
    system: AbstractSystem, given: Mapping[str, Any], recipe: AbstractRecipe, options: ModelOptions
) -> str:
    """Why the decoder is that of `recipe`, with its completed options, if there was a choice; else empty."""
    given = _asked(given)
    defaults = [one for one in RECIPES.values() if one.default_of == system.geometry]
    if "decoder" in given or len(defaults) < 2:
        return ""
    if recipe is defaults[0]:
        return f"{recipe.name}: {recipe.reason(options)}"
    own = [name for name in given if name not in _names(defaults[0]) or name == "target"]
    if own:
        return f"{recipe.name}: {own[0]}={given[own[0]]!r} is an option of it"
    if given.get("conditions") and not defaults[0].conditional:
        return f"{recipe.name}: it takes conditions"
    return f"{recipe.name}: {defaults[0].serves(system)}"
