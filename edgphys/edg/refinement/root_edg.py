# SPDX-License-Identifier: MIT
"""An EDG as the root: its target for the system at hand, and its training once the laws are learned.

Spins, states and angles need a continuous form first, with a learned law p_0 of its own (`CoarseRelaxation`);
coarse sites to learn it from are drawn by the autoregressive root that was trained with the laws.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from edgphys.edg.core.bounds import continuous_bound, path_bound
from edgphys.edg.core.recipe import TrainingJob
from edgphys.edg.core.training import History, Stage, TrainingSettings, saved_weights, stage_of, train_stages
from edgphys.edg.field.model import EDGModel
from edgphys.edg.refinement.generative_model import RefinementModel
from edgphys.edg.refinement.generator import LatticeGenerator
from edgphys.edg.refinement.law import AbstractVectorLaw
from edgphys.edg.refinement.law_stages import law_stages
from edgphys.edg.refinement.laws_of import law_of
from edgphys.edg.refinement.phase_frame import frame_of
from edgphys.edg.refinement.quartic_law import QuarticLaw
from edgphys.edg.targets.refinement import Phi4RefinementTarget, RelaxedRefinementTarget, fit_relaxation

__all__ = ["fit_with_root", "has_edg_root", "laws_among", "root_model", "root_target"]

# Parts of the steps: laws, p_0, and the rest for the root itself.
_LAWS, _SOFTENING = 1.0 / 3.0, 0.1
# Runs on the coarse sites alone, whose steps are cheap: p_0, and the root.
_SOFT = {"batch_size": 512, "learning_rate": 1e-2, "path_share": 0.0, "annealing": 0.0}
_ROOT = {"batch_size": 256, "learning_rate": 3e-3, "max_gradient": 5.0, "annealing": 0.0}

# Draws of the coarse sites from which M and the Gaussian start are fitted.
_N_FIT = 8192

RootTarget = RelaxedRefinementTarget | Phi4RefinementTarget
Weights = Mapping[str, Tensor]


def root_target(
    laws: LatticeGenerator, *, width: int, seed: int, weights: Weights | None = None
) -> RootTarget:
    """The target of the root: the field itself, or the relaxation of spins, states, angles.

    Parameters
    ----------
    laws : LatticeGenerator
        Trained, or with the weights that are to be loaded.
    width : int
        Hidden units of p_0 for each site.
    seed : int
    weights : mapping, optional
        Of the whole model, or of the target, where they are to be loaded.
    """
    if isinstance(laws.refinement.law, QuarticLaw):
        return Phi4RefinementTarget(laws)
    source = torch.Generator(device=laws.device).manual_seed(seed)
    coarse, _ = laws.root.draw(_N_FIT, source)
    relaxation = fit_relaxation(laws, coarse, width, seed).to(laws.device)
    frame = frame_of(relaxation, laws.system.symmetries)
    target = RelaxedRefinementTarget(laws, relaxation, frame).to(laws.device)
    if weights is None:
        target.fit_start(coarse, source)
    else:
        target.load_state_dict(_of_target(weights, target.state_dict()))
    return target


def has_edg_root(system: Any) -> bool:
    """Whether the coarse sites of `system`, which has laws, have a continuous form that an EDG can draw."""
    law = law_of(system)
    return isinstance(law, QuarticLaw) or (isinstance(law, AbstractVectorLaw) and law.n_components > 0)


def root_model(target: RootTarget, options: Any, seed: int) -> EDGModel:
    """Decoder and encoder of the root."""
    size = options.encoder_size
    return EDGModel(
        target, n_path_steps=options.n_path_steps, decoder_size=size, encoder_size=size, seed=seed
    )


def laws_among(weights: Weights) -> dict[str, Tensor]:
    """Root and laws among the weights of a model with an EDG root, or of its target alone."""
    return {
        name.removeprefix("laws."): w for name, w in _of_target(weights).items() if name.startswith("laws.")
    }


def _of_target(weights: Weights, names: Iterable[str] | None = None) -> dict[str, Tensor]:
    """All weights, or those of some names, without the prefix that those of a model's target have."""
    of_target = {name.removeprefix("target."): weight for name, weight in weights.items()}
    return of_target if names is None else {name: of_target[name] for name in names}


def fit_with_root(
    job: TrainingJob, laws: LatticeGenerator, reference: Callable[[], Tensor]
) -> tuple[EDGModel, History]:
    """Train laws, p_0 and root one after the other.

    Parameters
    ----------
    job : TrainingJob
    laws : LatticeGenerator
    reference : callable
        As for `law_stages`.
    """
    n_laws, n_soft, n_root = _split(job.settings.n_steps)
    settings = replace(job.settings, n_steps=n_laws, path_share=0.0)
    stages, checkpoint = law_stages(laws, job.training, settings, reference), job.checkpoint
    saved, history, done = None, History(), 0

    def go_on(model: Any, stages: list[Stage], first: int) -> None:
        nonlocal history, done
        offset = done
        history = train_stages(
            model,
            stages,
            checkpoint=checkpoint,
            on_step=lambda step, loss: job.on_step(offset + step, loss),
            before=history,
            first=first,
            begin=job.begin,
        )
        done += sum(stage.settings.n_steps for stage in stages)

    if checkpoint is not None and stage_of(checkpoint, stages[0].settings) >= len(stages):
        saved = saved_weights(checkpoint, stages[0].settings)
        laws.load_state_dict(laws_among(saved))
        done = n_laws
    else:
        go_on(RefinementModel(laws), stages, 0)
    target = root_target(laws, width=job.options.decoder_size[1], seed=settings.seed, weights=saved)
    soft = _softening(target, replace(settings, n_steps=n_soft, **_SOFT))
    go_on(target, soft, len(stages))
    target.requires_grad_(False)
    model = root_model(target, job.options, settings.seed).to(job.device)
    run = replace(job.settings, n_steps=n_root, **_ROOT)
    go_on(model, [Stage(run, continuous_bound, path_bound)], len(stages) + len(soft))
    return model, history


def _split(n_steps: int) -> tuple[int, int, int]:
    n_laws, n_soft = round(_LAWS * n_steps), round(_SOFTENING * n_steps)
    return n_laws, n_soft, n_steps - n_laws - n_soft


def _softening(target: RootTarget, settings: TrainingSettings) -> list[Stage]:
    """The run that learns p_0; none for fields."""
    if target.relaxation is None:
        return []

    def draw(n: int, generator: torch.Generator) -> Tensor:
        return target.laws.root.draw(n, generator)[0]

    bound = target.relaxation.bound(draw)
    return [Stage(settings, bound, bound)]
