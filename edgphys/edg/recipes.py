# SPDX-License-Identifier: MIT
"""Which model samples which system: the options of each kind, their defaults, and how the model is built.

recipe       decoders                 systems
lattice      field                    lattice systems; equivariant under the space group
mixture      mixture, hamiltonian     any differentiable system of up to some dozens of variables
particles    particles                clusters of particles; equivariant under S_n x E(d)
"""

from __future__ import annotations

import functools
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, final

import numpy as np
import torch
from torch import Tensor

from edgphys.edg.checks import choice, count, size
from edgphys.edg.core.bounds import continuous_bound
from edgphys.edg.core.model import AbstractEDGModel
from edgphys.edg.core.training import Bound
from edgphys.edg.field.model import EDGModel
from edgphys.edg.mixture.decoder import MixtureDecoder
from edgphys.edg.mixture.gaussian_mixture import GaussianMixture, explore
from edgphys.edg.mixture.hamiltonian_decoder import HamiltonianDecoder, stiffness_of
from edgphys.edg.mixture.model import ContinuousModel
from edgphys.edg.paper.bound import paper_bound
from edgphys.edg.particles.model import ParticleModel, carried_bound
from edgphys.edg.targets.continuous import AbstractCountedTarget, ContinuousTarget, CountedTarget
from edgphys.edg.targets.registry import make_target
from edgphys.systems.base import AbstractSystem
from edgphys.systems.lattice.base import AbstractLatticeSystem
from edgphys.systems.particles.base import AbstractParticleSystem

__all__ = ["AbstractRecipe", "option_names", "recipe_for"]

Weights = Mapping[str, Tensor]

# What the paper's form can be told, the default first.
_PAPER = {
    "schedule": ("sub-vp", "vp-linear"),
    "trace": ("hutchinson", "exact"),
    "time_proposal": ("learned", "uniform"),
}


class AbstractRecipe(ABC):
    """From a system and options to a model; concrete recipes are final and hold nothing.

    Attributes
    ----------
    decoders : tuple of str
        Names that choose the recipe.
    allowed : tuple of str
        Names of the options.
    batch_size : int
        Decoder samples a training step, unless told.
    patience : int
        See `EDG.fit`, unless told.
    objective : str
        What minus the training loss is.
    """

    decoders: ClassVar[tuple[str, ...]]
    allowed: ClassVar[tuple[str, ...]]
    batch_size: ClassVar[int] = 128
    patience: ClassVar[int] = 500
    objective: ClassVar[str] = "a lower bound on log_z up to its noise"

    @abstractmethod
    def complete(self, system: AbstractSystem, given: dict[str, Any]) -> dict[str, Any]:
        """Checked options with defaults filled in, JSON types but for tuples; `given` has no None."""

    @abstractmethod
    def build(
        self, system: AbstractSystem, options: dict[str, Any], seed: int, weights: Weights | None
    ) -> AbstractEDGModel:
        """The untrained model, or, with `weights` from its ``state_dict``, one of the same shapes."""

    @abstractmethod
    def default_steps(self, system: AbstractSystem, options: dict[str, Any]) -> int:
        """Optimiser steps that training takes unless told."""

    def first_bound(self, model: AbstractEDGModel, options: dict[str, Any]) -> Bound:
        """Objective of the first part of the training."""
        return continuous_bound

    def path_share(self, options: dict[str, Any]) -> float:
        """Part of the training spent on the path bound, unless told."""
        return 0.5


@final
class LatticeRecipe(AbstractRecipe):
    """The field decoder on a lattice."""

    decoders = ("field",)
    allowed = (
        "target",
        "n_path_steps",
        "decoder_size",
        "encoder_size",
        "form",
        "schedule",
        "trace",
        "time_proposal",
    )

    def complete(self, system, given):
        options = {"target": "auto", "n_path_steps": 8, "form": "angle"} | given
        options = {"decoder_size": (16, 3), "encoder_size": (16, 3)} | options
        choice(options["form"], "form", ("angle", "paper"))
        for name in _PAPER:
            if options["form"] == "paper":
                options[name] = choice(options.get(name, _PAPER[name][0]), name, _PAPER[name])
            elif name in options:
                raise ValueError(f"{name} belongs to form='paper', got {name}={options[name]!r}")
        _check_sizes(options)
        make_target(system, options["target"])
        return options

    def build(self, system, options, seed, weights):
        sizes = {key: options[key] for key in ("n_path_steps", "decoder_size", "encoder_size")}
        target = make_target(system, options["target"])
        return EDGModel(target, seed=seed, schedule=options.get("schedule", "angle"), **sizes)

    def default_steps(self, system, options):
        return int(min(4000, 600 * max(1.0, (system.n_sites / 64.0) ** 0.5)))

    def first_bound(self, model, options):
        if options["form"] == "angle":
            return continuous_bound
        encoder = model.encoder
        proposal = encoder.proposal if options["time_proposal"] == "learned" else None
        return functools.partial(
            paper_bound, schedule=encoder.schedule, divergence=options["trace"], proposal=proposal
        )

    def path_share(self, options):
        return 0.5 * (options["form"] == "angle")


@final
class MixtureRecipe(AbstractRecipe):
    """A decoder for each component of a Gaussian mixture that approximates the density."""

    decoders = ("mixture", "hamiltonian")
    batch_size = 256
    allowed = (
        "decoder",
        "encoder",
        "target",
        "n_components",
        "n_leapfrog",
        "n_blocks",
        "train_at",
        "n_path_steps",
        "decoder_size",
        "encoder_size",
    )

    def complete(self, system, given):
        options = {
            "decoder": "mixture",
            "encoder": "diffusion",
            "n_path_steps": 8,
            "n_components": 256,
        } | given
        options = {"decoder_size": (64, 2), "encoder_size": (64, 2)} | options
        choice(options["encoder"], "encoder", ("diffusion", "gaussian"))
        options["n_components"] = count(options["n_components"], "n_components", 1)
        options["n_blocks"] = _blocks(system, options)
        if options["encoder"] == "gaussian":
            # One step: without a diffusion there is no path.
            if given.get("n_path_steps", 1) != 1:
                raise ValueError(
                    f"n_path_steps must be 1 for encoder='gaussian', got {given['n_path_steps']}"
                )
            options["n_path_steps"] = 1
        if options["decoder"] == "hamiltonian":
            options["n_leapfrog"] = count(options.get("n_leapfrog", 4), "n_leapfrog", 1)
        elif "n_leapfrog" in options:
            raise ValueError(f"n_leapfrog belongs to decoder='hamiltonian', got {options['n_leapfrog']!r}")
        _check_sizes(options)
        target = self._target(system, options)
        if options["decoder"] == "hamiltonian":
            _check_differentiable(target)
        return options

    def build(self, system, options, seed, weights):
        target = self._target(system, options)
        if weights is None:
            mixture = explore(
                target,
                functools.partial(_starts, target),
                options["n_blocks"],
                options["n_components"],
                np.random.default_rng(seed),
            )
        else:
            mixture = _mixture_of(weights)
        generator = torch.Generator().manual_seed(seed)
        width, depth = options["decoder_size"]
        if options["decoder"] == "mixture":
            decoder = MixtureDecoder(mixture, width, depth, generator)
        else:
            if weights is None:
                stiffness = stiffness_of(mixture, target.gradient, torch.Generator().manual_seed(seed))
            else:
                stiffness = float(weights["decoder.stiffness"])
            decoder = HamiltonianDecoder(
                mixture, target.gradient, options["n_leapfrog"], width, depth, generator, stiffness
            )
        return ContinuousModel(
            target,
            decoder,
            torch.from_numpy(np.log(mixture.weights)),
            n_blocks=options["n_blocks"],
            n_path_steps=options["n_path_steps"],
            diffusion=options["encoder"] == "diffusion",
            size=options["encoder_size"],
            generator=generator,
        )

    def _target(self, system, options):
        if isinstance(system, AbstractLatticeSystem):
            _refuse(options, ("train_at",), "continuous systems")
            return CountedTarget(make_target(system, options.setdefault("target", "auto")))
        _refuse(options, ("target",), "lattice systems")
        return _continuous_target(system, options)

    def default_steps(self, system, options):
        return 1000

    def path_share(self, options):
        return 0.5 if options["encoder"] == "diffusion" else 1.0


@final
class ParticleRecipe(AbstractRecipe):
    """The equivariant decoder of a cluster."""

    decoders = ("particles",)
    # The first part is the whole run: it does not end early.
    patience = 1_000_000
    objective = "a lower bound on log_z to first order in the output noise, up to its own noise"
    allowed = ("decoder", "n_leapfrog", "train_at", "n_path_steps", "decoder_size", "encoder_size")

    def complete(self, system, given):
        if not isinstance(system, AbstractParticleSystem):
            raise ValueError(f"decoder='particles' takes a system of particles, got {system!r}")
        options = {"decoder": "particles", "n_path_steps": 8} | given
        options = {"decoder_size": (8, 8), "encoder_size": (16, 2)} | options
        options["n_leapfrog"] = count(options.get("n_leapfrog", 0), "n_leapfrog", 0)
        _check_sizes(options)
        target = _continuous_target(system, options)
        if options["n_leapfrog"]:
            _check_differentiable(target)
        return options

    def build(self, system, options, seed, weights):
        names = ("n_path_steps", "n_leapfrog", "decoder_size", "encoder_size")
        target = _continuous_target(system, options)
        return ParticleModel(target, seed=seed, **{name: options[name] for name in names})

    def default_steps(self, system, options):
        return 600

    def first_bound(self, model, options):
        return carried_bound

    def path_share(self, options):
        # Its rare preimages that are not found would rule the path bound.
        return 0.0


_RECIPES = (LatticeRecipe(), MixtureRecipe(), ParticleRecipe())


def option_names() -> tuple[str, ...]:
    """Names of the options of all decoders, in the order of the recipes."""
    return tuple(dict.fromkeys(["decoder", *(name for recipe in _RECIPES for name in recipe.allowed)]))


def recipe_for(system: AbstractSystem, given: dict[str, Any]) -> tuple[AbstractRecipe, dict[str, Any]]:
    """The recipe for a system, and its completed options.

    Parameters
    ----------
    system : AbstractSystem
    given : dict
        Options; those that are None or "auto" are left to the recipe.

    Raises
    ------
    UnknownNameError, TypeError, ValueError
        For a name, a type or a value that is not one of those allowed, or an option of another recipe.
    """
    given = {
        name: value
        for name, value in given.items()
        if value is not None and not (isinstance(value, str) and value == "auto")
    }
    own = _default_decoder(system)
    name = given.get("decoder", own)
    choice(name, "decoder", tuple(dict.fromkeys(("auto", own, *MixtureRecipe.decoders))))
    recipe = next(one for one in _RECIPES if name in one.decoders)
    given = {key: value for key, value in given.items() if key != "decoder"}
    unknown = [key for key in given if key not in recipe.allowed]
    if unknown:
        words = ", ".join(key for key in recipe.allowed if key != "decoder")
        raise ValueError(
            f"{unknown[0]} is no option of decoder={name!r} for {system.name}: use {words}; "
            f"got {unknown[0]}={given[unknown[0]]!r}"
        )
    if "decoder" in recipe.allowed:
        given["decoder"] = name
    return recipe, recipe.complete(system, given)


def _default_decoder(system: AbstractSystem) -> str:
    if isinstance(system, AbstractLatticeSystem):
        return "field"
    return "particles" if isinstance(system, AbstractParticleSystem) else "mixture"


def _check_sizes(options: dict[str, Any]) -> None:
    options["n_path_steps"] = count(options["n_path_steps"], "n_path_steps", 1)
    for name in ("decoder_size", "encoder_size"):
        options[name] = size(options[name], name)


def _refuse(options: dict[str, Any], names: tuple[str, ...], whose: str) -> None:
    for name in names:
        if name in options:
            raise ValueError(f"{name} belongs to {whose}, got {name}={options[name]!r}")


def _continuous_target(system: AbstractSystem, options: dict[str, Any]) -> ContinuousTarget:
    """The target; training may see other parameters, by default a softened core where there is one."""
    changes = options.setdefault("train_at", getattr(system, "easy_parameters", {}))
    if not isinstance(changes, Mapping) or not set(changes) <= set(system.conditions):
        names = ", ".join(system.conditions)
        raise ValueError(f"train_at must be a dict from some of {names} to numbers, got {changes!r}")
    training_system = system.replace(**changes) if changes else None
    options["train_at"] = {name: float(value) for name, value in changes.items()}
    return ContinuousTarget(system, training_system)


def _blocks(system: AbstractSystem, options: dict[str, Any]) -> int:
    """Number of exchangeable blocks of variables; a system may declare one (`n_blocks`)."""
    # The force on one block is that of the whole x: Hamiltonian dynamics moves all variables at once.
    most = 1 if options["decoder"] == "hamiltonian" else getattr(system, "n_blocks", 1)
    n_blocks = count(options.get("n_blocks", most), "n_blocks", 1)
    if most % n_blocks:
        words = "must be 1" if most == 1 else f"must divide {most}"
        raise ValueError(f"n_blocks {words} for {system!r}, decoder={options['decoder']!r}, got {n_blocks}")
    return n_blocks


def _check_differentiable(target: AbstractCountedTarget) -> None:
    """Training the Hamiltonian decoder takes derivatives of the force."""
    x = torch.from_numpy(_starts(target, np.random.default_rng(0), 2)).requires_grad_()
    if not target.gradient(x).requires_grad:
        raise ValueError(
            f"decoder must be 'mixture' for {target.system!r}: its gradient is that of a compiled function, "
            "which torch cannot differentiate again; got 'hamiltonian'"
        )


def _starts(target, rng: np.random.Generator, n: int) -> np.ndarray:
    """Points, shape (n, n_dims), wider than the density."""
    if not isinstance(target, CountedTarget):
        return target.training_system.random_configurations(n, rng)
    start = target.inner.gaussian_start()
    factor = np.linalg.cholesky(start.mixed_covariance + 1e-9 * np.eye(target.n_dims))
    rows = rng.standard_normal((n, target.n_dims)) @ factor.T
    rows[::2] += start.mean
    rows[1::2] -= start.mean
    return rows


def _mixture_of(weights: Weights) -> GaussianMixture:
    """The mixture that a saved model stands on."""
    prefix = "decoder.frames."
    means, factors = weights[prefix + "means"].double().numpy(), weights[prefix + "roots"].double().numpy()
    return GaussianMixture(np.full(len(means), 1.0 / len(means)), means, factors)
