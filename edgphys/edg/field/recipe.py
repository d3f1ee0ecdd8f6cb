# SPDX-License-Identifier: MIT
"""The field decoder on a lattice: its options, and how its model is built."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import final

from edgphys._checks import choice
from edgphys.edg.core.bounds import continuous_bound
from edgphys.edg.core.model_options import ModelOptions, option, set_fields
from edgphys.edg.core.recipe import AbstractRecipe
from edgphys.edg.field.model import EDGModel
from edgphys.edg.paper.paper_options import PaperOptions
from edgphys.edg.targets.registry import make_target
from edgphys.errors import ArgumentValueError

__all__ = ["FieldOptions", "FieldRecipe"]


@dataclass(frozen=True, kw_only=True)
class FieldOptions(ModelOptions):
    """Options of the field decoder.

    Attributes
    ----------
    target : str
        Which exact partial sum is used, see `edgphys.edg.targets.registry.target_names`.
    form : {"angle", "paper"}
        "angle" is the default form (angle schedule, antithetic pairs, no derivative of the encoder); "paper"
        is the paper's own (score network with boundary interpolation in t/T).
    schedule, trace, time_proposal : str or None
        See `PaperOptions`; None unless ``form="paper"``.

    Examples
    --------
    >>> FieldOptions(form="paper").schedule, FieldOptions().schedule
    ('sub-vp', None)
    """

    target: str = option("auto", "exact partial sum: auto, or a name that target_names gives")
    form: str = option("angle", "form of the bound: angle or paper")
    schedule: str | None = option(None, "diffusion of the paper's form: sub-vp or vp-linear")
    trace: str | None = option(None, "divergence of the paper's form in training: hutchinson or exact")
    time_proposal: str | None = option(None, "diffusion times of the paper's form: learned or uniform")

    def __post_init__(self) -> None:
        super().__post_init__()
        given = {one.name: getattr(self, one.name) for one in fields(PaperOptions)}
        given = {name: value for name, value in given.items() if value is not None}
        if choice(self.form, "form", ("angle", "paper")) == "paper":
            set_fields(self, **asdict(PaperOptions(**given)))
        for name, value in given.items():
            if self.form == "angle":
                raise ArgumentValueError(f"{name} belongs to form='paper', got {name}={value!r}", name)

    @property
    def paper(self) -> PaperOptions | None:
        """Those of the paper's form, if it is this."""
        if self.form == "angle":
            return None
        return PaperOptions(**{one.name: getattr(self, one.name) for one in fields(PaperOptions)})


@final
class FieldRecipe(AbstractRecipe):
    """The field decoder, equivariant under the space group."""

    name = "field"
    options = FieldOptions
    geometries = ("lattice",)
    default_of = "lattice"

    def complete(self, system, options):
        make_target(system, options.target)
        return options

    def described(self, options):
        # Without the name, as in files from before there were other decoders.
        return options.as_dict()

    def build(self, system, options, seed, weights):
        return EDGModel(
            make_target(system, options.target),
            n_path_steps=options.n_path_steps,
            decoder_size=options.decoder_size,
            encoder_size=options.encoder_size,
            seed=seed,
            schedule=options.schedule or "angle",
        )

    def default_steps(self, system, options):
        return int(min(4000, 600 * max(1.0, (system.n_variables / 64.0) ** 0.5)))

    def first_bound(self, model, options):
        return continuous_bound if options.paper is None else options.paper.bound(model)

    def path_share(self, options):
        return 0.5 if options.paper is None else 0.0
