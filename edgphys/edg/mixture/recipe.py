# SPDX-License-Identifier: MIT
"""The decoders on a Gaussian mixture, plain and Hamiltonian: options, and how models are built."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, final

import numpy as np
import torch

from edgphys._checks import choice, count
from edgphys._sizes import at_most
from edgphys.edg.core.conditions import Conditions
from edgphys.edg.core.family import ModelFamily, family_bound
from edgphys.edg.core.model_options import ModelOptions, option, set_fields
from edgphys.edg.core.module import Module
from edgphys.edg.core.recipe import AbstractRecipe, Weights
from edgphys.edg.mixture.decoder import MixtureDecoder
from edgphys.edg.mixture.gaussian_mixture import GaussianMixture, explore
from edgphys.edg.mixture.hamiltonian_decoder import HamiltonianDecoder, stiffness_of
from edgphys.edg.mixture.mixture_range import MixtureRange, explore_range
from edgphys.edg.mixture.model import ContinuousModel
from edgphys.edg.mixture.wide_components import LEAST_SHARE, joined, wide_components
from edgphys.edg.targets.continuous import (
    AbstractCountedTarget,
    ContinuousTarget,
    CountedTarget,
    check_differentiable,
    eased,
)
from edgphys.edg.targets.registry import make_target
from edgphys.errors import ArgumentValueError
from edgphys.systems.base import AbstractSystem

__all__ = ["HamiltonianOptions", "HamiltonianRecipe", "MixtureOptions", "MixtureRecipe"]


@dataclass(frozen=True, kw_only=True)
class MixtureOptions(ModelOptions):
    """Options of the mixture decoder.

    Attributes
    ----------
    n_path_steps : int
        As for all decoders; 1, and nothing else, for the Gaussian encoder.
    encoder : {"diffusion", "gaussian"}
        "gaussian" is the encoder of a variational autoencoder, for comparison.
    target : str or None
        Lattices: which exact partial sum is used, see `edgphys.edg.targets.registry.target_names`.
    n_components : int
        Most components of the Gaussian mixture that the decoder starts from.
    n_blocks : int or None
        Blocks of variables with one law; None: what the system declares.
    train_at : dict of str to float, or None
        Continuous systems: parameters at which training sees the system; None: its `easy_parameters`.

    Examples
    --------
    >>> MixtureOptions(encoder="gaussian").n_path_steps
    1
    """

    n_path_steps: int | None = option(None, "steps of the path whose bound is trained")
    decoder_size: tuple[int, int] = option((64, 2), "width and depth of the decoder's network")
    encoder_size: tuple[int, int] = option((64, 2), "width and depth of the encoder's network")
    encoder: str = option("diffusion", "encoder: diffusion, or gaussian for comparison")
    target: str | None = option(None, "lattices: exact partial sum, auto or a name that target_names gives")
    n_components: int = option(256, "most components of the Gaussian mixture at the start")
    n_blocks: int | None = option(None, "blocks of variables with one law")
    train_at: Mapping[str, float] | None = option(None, "parameters at which training sees the system")

    def __post_init__(self) -> None:
        steps = self.n_path_steps
        if choice(self.encoder, "encoder", ("diffusion", "gaussian")) == "diffusion":
            steps = 8 if steps is None else steps
        elif steps not in (None, 1):
            raise ArgumentValueError(
                f"n_path_steps must be 1 for encoder='gaussian', got {steps!r}", "n_path_steps"
            )
        else:
            # One step: without a diffusion there is no path.
            steps = 1
        set_fields(self, n_path_steps=steps, n_components=count(self.n_components, "n_components", 1))
        at_most(self.n_components, "n_components")
        if self.n_blocks is not None:
            set_fields(self, n_blocks=count(self.n_blocks, "n_blocks", 1))
        super().__post_init__()

    @property
    def has_flow(self) -> bool:
        return self.encoder == "diffusion"

    @property
    def is_eased(self) -> bool:
        return bool(self.train_at)


@dataclass(frozen=True, kw_only=True)
class HamiltonianOptions(MixtureOptions):
    """Options of the Hamiltonian decoder: those of the mixture, and its steps.

    Attributes
    ----------
    n_leapfrog : int
        Steps of Hamiltonian dynamics in the decoder.
    """

    n_leapfrog: int = option(4, "steps of Hamiltonian dynamics in the decoder")

    def __post_init__(self) -> None:
        super().__post_init__()
        set_fields(self, n_leapfrog=count(self.n_leapfrog, "n_leapfrog", 1))
        at_most(self.n_leapfrog, "n_leapfrog")


class AbstractMixtureRecipe(AbstractRecipe):
    """What the decoders on a Gaussian mixture share: the target, the search for basins, and the encoder.

    Attributes
    ----------
    has_wide : bool
        Whether models get wide components.
    """

    has_wide: ClassVar[bool] = True

    batch_size: ClassVar[int] = 256
    conditional: ClassVar[bool] = True

    def complete(self, system, options):
        options = replace(options, n_blocks=self._blocks(system, options))
        other, whose = ("target", "lattice") if system.lattice is None else ("train_at", "continuous")
        value = options.as_dict().get(other)
        if value is not None:
            raise ArgumentValueError(f"{other} belongs to {whose} systems, got {other}={value!r}", other)
        if system.lattice is None:
            options = replace(options, train_at=eased(system, options.train_at))
        elif options.conditions:
            raise ArgumentValueError(
                f"conditions must be left out for decoder={self.name!r} on a lattice, got "
                f"{Conditions(options.conditions)}",
                "conditions",
            )
        else:
            options = replace(options, target=options.target or "auto")
        self._target(system, options)
        return options

    def _target(self, system: AbstractSystem, options: Any) -> AbstractCountedTarget:
        if system.lattice is None:
            return ContinuousTarget(system, options.train_at)
        return CountedTarget(make_target(system, options.target))

    def _blocks(self, system: AbstractSystem, options: MixtureOptions) -> int:
        """Number of exchangeable blocks of variables."""
        most = self._most_blocks(system)
        n_blocks = most if options.n_blocks is None else options.n_blocks
        if most % n_blocks:
            words = "must be 1" if most == 1 else f"must divide {most}"
            raise ArgumentValueError(
                f"n_blocks {words} for {system!r}, decoder={self.name!r}, got {n_blocks}", "n_blocks"
            )
        return n_blocks

    def _most_blocks(self, system: AbstractSystem) -> int:
        return system.n_blocks

    def build(self, system, options, seed, weights):
        conditions = _free(options)
        if conditions:
            return self._family(system, options, conditions, seed, weights)
        target, n_wide = self._target(system, options), 0
        if weights is None:
            rng = np.random.default_rng(seed)
            mixture = explore(target, options.n_blocks, options.n_components, rng)
            if self.has_wide:
                wide = wide_components(mixture, target, options.n_blocks, rng)
                mixture, n_wide = joined(mixture, wide), len(wide.weights)
        else:
            mixture, n_wide = _mixture_of(weights), _n_wide(weights)
        return self._model(target, mixture, n_wide, options, seed, weights)

    def _family(
        self, system: AbstractSystem, options: Any, conditions: Conditions, seed: int, weights: Weights | None
    ) -> ModelFamily:
        """A model for a range, on mixtures along the range; its template is in the middle."""
        middle = [0.0] * len(conditions.ranges)
        target = self._target(system.replace(**conditions.decoded(middle)), options)
        if weights is None:
            sizes = options.n_blocks, options.n_components
            start, n_wide = explore_range(
                target, conditions, *sizes, np.random.default_rng(seed), with_wide=self.has_wide
            )
        else:
            start = MixtureRange(*(weights[f"start.{name}"] for name in ("log_shares", "means", "roots")))
            weights = {name.removeprefix("template."): value for name, value in weights.items()}
            n_wide = _n_wide(weights)
        template = self._model(target, start.mixture(torch.tensor(middle)), n_wide, options, seed, weights)
        with torch.no_grad():
            template.label_logits.zero_()
        return ModelFamily(template, conditions, start)

    def _model(
        self,
        target: AbstractCountedTarget,
        mixture: GaussianMixture,
        n_wide: int,
        options: Any,
        seed: int,
        weights: Weights | None,
    ) -> ContinuousModel:
        generator = torch.Generator().manual_seed(seed)
        # Of a block: all of them together lose as much as one.
        least = torch.zeros(len(mixture.weights))
        least[len(least) - n_wide :] = LEAST_SHARE / (options.n_blocks * max(n_wide, 1))
        return ContinuousModel(
            target,
            self._decoder(target, mixture, n_wide, options, seed, weights, generator),
            torch.from_numpy(np.log(mixture.weights)),
            n_blocks=options.n_blocks,
            n_path_steps=options.n_path_steps,
            diffusion=options.has_flow,
            size=options.encoder_size,
            generator=generator,
            least_shares=least,
        )

    @abstractmethod
    def _decoder(
        self,
        target: AbstractCountedTarget,
        mixture: GaussianMixture,
        n_wide: int,
        options: MixtureOptions,
        seed: int,
        weights: Weights | None,
        generator: torch.Generator,
    ) -> Module:
        """The decoder of one block."""

    def default_steps(self, system, options):
        return 2000 if _free(options) else 1000

    def first_bound(self, model, options):
        bound = super().first_bound(model, options)
        return family_bound(bound) if _free(options) else bound

    def last_bound(self, model, options):
        bound = super().last_bound(model, options)
        return family_bound(bound) if _free(options) else bound

    def path_share(self, options):
        return 0.5 if options.has_flow else 1.0


@final
class MixtureRecipe(AbstractMixtureRecipe):
    """A decoder for each component of a Gaussian mixture that approximates the density."""

    name = "mixture"
    options = MixtureOptions
    default_of = "continuous"

    def _decoder(self, target, mixture, n_wide, options, seed, weights, generator):
        return MixtureDecoder(mixture, *options.decoder_size, generator, n_wide)


@final
class HamiltonianRecipe(AbstractMixtureRecipe):
    """Generalised Hamiltonian dynamics (GHD) behind the mixture; for differentiable systems."""

    name = "hamiltonian"
    options = HamiltonianOptions

    def complete(self, system, options):
        options = super().complete(system, options)
        check_differentiable(self._target(system, options))
        return options

    def _most_blocks(self, system):
        # The force on one block is that of the whole x: the dynamics moves all variables at once.
        return 1

    def _decoder(self, target, mixture, n_wide, options: Any, seed, weights, generator):
        if weights is None:
            stiffness = stiffness_of(mixture, target.gradient, torch.Generator().manual_seed(seed))
        else:
            stiffness = float(weights["decoder.stiffness"])
        width, depth = options.decoder_size
        steps = options.n_leapfrog
        return HamiltonianDecoder(mixture, target.gradient, steps, width, depth, generator, stiffness, n_wide)


def _free(options: Any) -> Conditions:
    """The conditions that training sees: at those in `train_at` it sees one value."""
    ranges, fixed = options.conditions or {}, options.train_at or {}
    return Conditions({name: ends for name, ends in ranges.items() if name not in fixed})


def _n_wide(weights: Weights) -> int:
    """Wide components of a saved model; those of before had none."""
    return int((weights["least_shares"] > 0).sum()) if "least_shares" in weights else 0


def _mixture_of(weights: Weights) -> GaussianMixture:
    """The mixture that a saved model stands on."""
    prefix = "decoder.frames."
    means, factors = weights[prefix + "means"].double().numpy(), weights[prefix + "roots"].double().numpy()
    return GaussianMixture(np.full(len(means), 1.0 / len(means)), means, factors)
