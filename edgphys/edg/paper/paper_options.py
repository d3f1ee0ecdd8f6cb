# SPDX-License-Identifier: MIT
"""Options of the paper's form of the bound, which only decoders with ``form="paper"`` have."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

from edgphys._checks import choice
from edgphys.edg.core.model_options import option
from edgphys.edg.core.training import Bound
from edgphys.edg.paper.bound import paper_bound

__all__ = ["PaperOptions"]


@dataclass(frozen=True, kw_only=True)
class PaperOptions:
    """How the score network of the paper is trained.

    Attributes
    ----------
    schedule : {"sub-vp", "vp-linear"}
        Diffusion of the latents.
    trace : {"hutchinson", "exact"}
        Divergence of the score in training.
    time_proposal : {"learned", "uniform"}
        Where the diffusion time is drawn from in training.

    Raises
    ------
    UnknownNameError
        If a value is not one of these.

    Examples
    --------
    >>> PaperOptions().schedule
    'sub-vp'
    """

    schedule: str = option("sub-vp", "diffusion of the paper's form: sub-vp or vp-linear")
    trace: str = option("hutchinson", "divergence of the paper's form in training: hutchinson or exact")
    time_proposal: str = option("learned", "diffusion times of the paper's form: learned or uniform")

    def __post_init__(self) -> None:
        choice(self.schedule, "schedule", ("sub-vp", "vp-linear"))
        choice(self.trace, "trace", ("hutchinson", "exact"))
        choice(self.time_proposal, "time_proposal", ("learned", "uniform"))

    def bound(self, model: Any) -> Bound:
        """The training objective of a model with a `PaperEncoder`."""
        encoder = model.encoder
        proposal = encoder.proposal if self.time_proposal == "learned" else None
        kind: Any = paper_bound
        return functools.partial(kind, schedule=encoder.schedule, divergence=self.trace, proposal=proposal)
