# SPDX-License-Identifier: MIT
"""The particles decoder of a cluster: its options, and how its model is built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import final

from edgphys._checks import count
from edgphys._sizes import at_most
from edgphys.edg.core.model_options import ModelOptions, option, set_fields
from edgphys.edg.core.recipe import AbstractRecipe
from edgphys.edg.particles.model import ParticleModel, carried_bound
from edgphys.edg.targets.continuous import ContinuousTarget, check_differentiable, eased
from edgphys.errors import ArgumentValueError
from edgphys.systems.base import AbstractSystem

__all__ = ["ParticleOptions", "ParticleRecipe"]


@dataclass(frozen=True, kw_only=True)
class ParticleOptions(ModelOptions):
    """Options of the particles decoder.

    Attributes
    ----------
    n_leapfrog : int
        Steps of Hamiltonian dynamics after the pair flows.
    train_at : dict of str to float, or None
        Parameters at which training sees the system; None: its `easy_parameters`, and of `conditions` the
        highest temperature and the middle of all others.
    """

    decoder_size: tuple[int, int] = option((8, 8), "features of a particle, and number of pair flows")
    encoder_size: tuple[int, int] = option((16, 2), "width of the encoder's network, and rounds of messages")
    n_leapfrog: int = option(0, "steps of Hamiltonian dynamics after the pair flows")
    train_at: Mapping[str, float] | None = option(None, "parameters at which training sees the system")

    def __post_init__(self) -> None:
        super().__post_init__()
        set_fields(self, n_leapfrog=count(self.n_leapfrog, "n_leapfrog", 0))
        at_most(self.n_leapfrog, "n_leapfrog")

    @property
    def is_eased(self) -> bool:
        return bool(self.train_at)


@final
class ParticleRecipe(AbstractRecipe):
    """The particles decoder, equivariant under S_n x E(d)."""

    name = "particles"
    options = ParticleOptions
    geometries = ("particles",)
    default_of = "particles"
    # The first part is the whole run: it does not end early.
    patience = 1_000_000
    # One system is trained on, wherever in the range the draws are annealed to.
    conditional = True
    objective = "a lower bound on log_z to first order in the output noise, up to its own noise"

    def complete(self, system, options):
        options = replace(options, train_at=_train_at(system, options))
        target = ContinuousTarget(system, options.train_at)
        if options.n_leapfrog:
            check_differentiable(target)
        return options

    def build(self, system, options, seed, weights):
        return ParticleModel(
            ContinuousTarget(system, options.train_at),
            n_path_steps=options.n_path_steps,
            n_leapfrog=options.n_leapfrog,
            decoder_size=options.decoder_size,
            encoder_size=options.encoder_size,
            seed=seed,
        )

    def default_steps(self, system, options):
        return 600

    def first_bound(self, model, options):
        return carried_bound

    def path_share(self, options):
        # Its rare preimages that are not found would rule the path bound.
        return 0.0


def _train_at(system: AbstractSystem, options: ParticleOptions) -> dict[str, float]:
    """Parameters of the one system that is trained on.

    Raises
    ------
    ArgumentValueError
        If one of the conditions is not among them.
    """
    ranges = options.conditions or {}
    fixed = {
        name: high if name == "temperature" else 0.5 * (low + high) for name, (low, high) in ranges.items()
    }
    if options.train_at is None:
        return fixed | eased(system.replace(**fixed), None)
    train_at = eased(system, options.train_at)
    if not set(ranges) <= set(train_at):
        raise ArgumentValueError(
            f"train_at must name {', '.join(ranges)}: decoder='particles' trains at one value of each "
            f"condition, from which its draws are annealed to the others; got {train_at}",
            "train_at",
        )
    return train_at
