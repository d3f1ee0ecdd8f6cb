# SPDX-License-Identifier: MIT
"""Learned partial sums on a lattice: their options, and how the model is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast, final

from edgphys._checks import choice, number
from edgphys.edg.core.model_options import ModelOptions, option, set_fields
from edgphys.edg.core.recipe import AbstractRecipe
from edgphys.edg.refinement.generative_model import RefinementModel
from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.edg.refinement.laws_of import has_law
from edgphys.systems.lattice.base import AbstractLatticeSystem

__all__ = ["RefinementOptions", "RefinementRecipe"]


@dataclass(frozen=True, kw_only=True)
class RefinementOptions(ModelOptions):
    """Options of learned partial sums.

    Attributes
    ----------
    target : {"refinement"}
    root : {"autoregressive"}
        How the coarsest sites are drawn.
    radius : float
        Of the window that a law sees, in units of the spacing of its level.
    decoder_size : tuple of int
        Hidden units of the laws, and of the root.
    """

    n_path_steps: int = option(1, "without meaning here: nothing is left to infer")
    decoder_size: tuple[int, int] = option((48, 64), "hidden units of the laws, and of the root")
    encoder_size: tuple[int, int] = option((1, 1), "without meaning here: there is no encoder")
    target: str = option("refinement", "learned partial sums from coarse to fine")
    root: str = option("autoregressive", "how the coarsest sites are drawn")
    radius: float = option(3.0, "of the window of a law, in units of the spacing of its level")

    def __post_init__(self) -> None:
        super().__post_init__()
        choice(self.target, "target", ("refinement",))
        choice(self.root, "root", ("autoregressive",))
        set_fields(self, radius=number(self.radius, "radius", least=1.0))

    @property
    def has_flow(self) -> bool:
        return False


@final
class RefinementRecipe(AbstractRecipe):
    """Local laws from coarse to fine, the last class of sites exact."""

    name = "refinement"
    options = RefinementOptions
    geometries = ("lattice",)
    targets = ("refinement",)
    batch_size = 256
    # It does not end early: there is no second part.
    patience = 1_000_000
    annealing = 0.4
    objective = "a lower bound on log_z up to its noise"

    def serves(self, system):
        why_not = super().serves(system)
        if why_not is None and not has_law(system):
            why_not = f"decoder {self.name} has no law for the sites of {system.name}"
        return why_not

    def build(self, system, options, seed, weights):
        width, root_width = options.decoder_size
        laws = LatticeGenerator(
            cast(AbstractLatticeSystem, system),
            radius=options.radius,
            width=width,
            root_width=root_width,
            seed=seed,
        )
        return RefinementModel(laws, options.n_path_steps)

    def default_steps(self, system):
        return 1500

    def path_share(self, options):
        return 0.0
