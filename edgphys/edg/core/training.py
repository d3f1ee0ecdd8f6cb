# SPDX-License-Identifier: MIT
"""The training loop: two bounds one after the other, averaged weights, checkpoints, and clear failures.

The first part of the run minimises the continuous-time bound, the second the bound of the K-step path that
will give the weights. The learning rate falls along a cosine. When the first part has reached a plateau, the
second begins at once. The weights kept are an exponential moving average.

A model may be trained in several stages of such runs, each with an objective of its own (`train_stages`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from edgphys.edg.core.archive import write_archive
from edgphys.edg.core.bounds import Loss
from edgphys.errors import TrainingError

__all__ = [
    "Bound",
    "History",
    "OnStep",
    "Stage",
    "TrainingSettings",
    "saved_weights",
    "stage_of",
    "train",
    "train_stages",
]

Bound = Callable[[Any, int, torch.Generator], Loss]
OnStep = Callable[[int, float], None]


@dataclass(frozen=True)
class TrainingSettings:
    """What decides the result of a training run.

    Attributes
    ----------
    n_steps : int
        Most optimiser steps; 0 leaves the start.
    batch_size : int
        Decoder samples in a step.
    learning_rate : float
        Largest, of Adam.
    path_share : float
        Part of the run, at its end, spent on the path bound.
    max_gradient : float
        Norm at which gradients are clipped.
    averaging : float
        Decay of the moving average of the weights.
    annealing : float
        Part of the run, at its beginning, in which the energy is scaled down.
    patience : int
        Steps over which the bound must have improved, else the second part begins.
    seed : int
    subject : str
        What is trained; a checkpoint of another subject is refused.
    stage : int
        Number of the run among those that make up the training.
    """

    n_steps: int
    batch_size: int
    learning_rate: float
    path_share: float
    max_gradient: float
    averaging: float
    patience: int
    seed: int
    subject: str = ""
    annealing: float = 0.0
    stage: int = 0


@dataclass(frozen=True)
class Stage:
    """One of several runs that make up a training.

    Attributes
    ----------
    settings : TrainingSettings
        Its number among the stages is put in.
    first, second : Bound
        Objectives of its two parts.
    """

    settings: TrainingSettings
    first: Bound
    second: Bound


@dataclass
class History:
    """Loss of every step, of all stages: minus a noisy lower bound on log Z, unless the objective is another.

    Attributes
    ----------
    losses : list of float
    rates, stages : list
        Learning rate and number of the stage of every step; shorter where an older version began.
    plateau_step : int or None
        Where the first part ended early.
    earlier_time : float
        Seconds of the runs that were stopped before this one, up to their checkpoints.
    """

    losses: list[float] = field(default_factory=list)
    plateau_step: int | None = None
    earlier_time: float = field(default=0.0, compare=False)
    rates: list[float] = field(default_factory=list)
    stages: list[int] = field(default_factory=list)


_WARM_UP = 20
_FINAL_RATE = 0.01
_LEAST_POWER = 0.1
_CHECKPOINT_EVERY = 100


class _Run:
    """State of a training run: everything a checkpoint must hold."""

    def __init__(self, model: Any, settings: TrainingSettings, before: History, begin: float) -> None:
        self.model, self.settings, self.begin = model, settings, begin
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.Adam(self.parameters, lr=settings.learning_rate, betas=(0.9, 0.98))
        self.generator = torch.Generator(device=model.device).manual_seed(settings.seed)
        self.average = [p.detach().clone() for p in self.parameters]
        self.history = before
        self.step, self.position = 0, 0.0  # position runs from 0 to 1 and may jump ahead

    def state(self) -> dict:
        return {
            "settings": asdict(self.settings),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "average": self.average,
            "history": asdict(self.history) | {"earlier_time": self._seconds()},
            "step": self.step,
            "position": self.position,
        }

    def restore(self, state: dict) -> None:
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.generator.set_state(state["generator"].cpu())
        self.average = [a.to(p) for a, p in zip(state["average"], self.parameters, strict=True)]
        self.history = History(**state["history"])
        self.step, self.position = state["step"], state["position"]

    def _seconds(self) -> float:
        return self.history.earlier_time + time.perf_counter() - self.begin

    def rate(self) -> float:
        cosine = 0.5 * (1.0 + math.cos(math.pi * min(self.position, 1.0)))
        warm_up = min(1.0, (self.step + 1) / _WARM_UP)
        return self.settings.learning_rate * (warm_up * cosine + _FINAL_RATE)

    def _power(self) -> float:
        """Factor of the energy: rises while annealing, then 1."""
        if self.position >= self.settings.annealing:
            return 1.0
        return _LEAST_POWER + (1.0 - _LEAST_POWER) * self.position / self.settings.annealing

    def advance(self, loss: Loss) -> None:
        """One optimiser step, with the moving average."""
        _check_finite(loss, self.step)
        rate = self.rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        (self._power() * loss.energy + loss.rest).backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, self.settings.max_gradient)
        self.optimizer.step()
        self.history.losses.append(float(loss.total.detach()))
        self.history.rates.append(rate)
        self.history.stages.append(self.settings.stage)
        decay = min(self.settings.averaging, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            now = [p.detach() for p in self.parameters]
            torch._foreach_lerp_(self.average, now, 1.0 - decay)  # pyright: ignore[reportPrivateImportUsage]
        self.step += 1
        self.position += 1.0 / self.settings.n_steps

    def skip_plateau(self) -> None:
        """Begin the second part when the first has stopped improving."""
        switch, patience = 1.0 - self.settings.path_share, self.settings.patience
        if self.position >= switch or self.step % 50 or self.step < 2 * patience:
            return
        recent = np.asarray(self.history.losses[-patience:])
        before = np.asarray(self.history.losses[-2 * patience : -patience])
        error = math.hypot(recent.std(), before.std()) / math.sqrt(patience)
        if before.mean() - recent.mean() < error:
            self.history.plateau_step, self.position = self.step, switch

    def finish(self) -> None:
        """Put the averaged weights into the model."""
        with torch.no_grad():
            for parameter, average in zip(self.parameters, self.average, strict=True):
                parameter.copy_(average)


def train(
    model: Any,
    settings: TrainingSettings,
    first: Bound,
    second: Bound,
    *,
    checkpoint: Path | None = None,
    on_step: OnStep = lambda step, loss: None,
    before: History | None = None,
    begin: float | None = None,
) -> History:
    """Train `model` in place.

    Parameters
    ----------
    model : AbstractEDGModel, or a Module with a `device`
        On the device to train on.
    settings : TrainingSettings
    first, second : Bound
        Objectives of the two parts.
    checkpoint : Path, optional
        Where the state is kept. If the file is there, the run goes on from it, to the same numbers as if it
        had not been stopped.
    on_step : callable
        Told the number of finished steps (of at most ``n_steps``) and the loss.
    before : History, optional
        Of earlier stages.
    begin : float, optional
        Of ``time.perf_counter`` when this training was begun or went on; now by default.

    Returns
    -------
    History

    Raises
    ------
    TrainingError
        If the loss is not finite, or the checkpoint belongs to another run.
    """
    begin = time.perf_counter() if begin is None else begin
    run = _Run(model, settings, History() if before is None else before, begin)
    if checkpoint is not None and checkpoint.exists():
        state = _read_checkpoint(checkpoint, settings)
        if _stage_in(state) == settings.stage:
            run.restore(state)
    switch = 1.0 - settings.path_share
    while settings.n_steps and run.position < 1.0 - 1e-9:
        # The small margin keeps rounding of the position from moving the switch by a step.
        bound = first if run.position < switch - 1e-9 else second
        run.advance(bound(model, settings.batch_size, run.generator))
        run.skip_plateau()
        on_step(round(run.position * settings.n_steps), run.history.losses[-1])
        if checkpoint is not None and run.step % _CHECKPOINT_EVERY == 0:
            write_archive(checkpoint, run.state())
    if checkpoint is not None:
        write_archive(checkpoint, run.state())
    run.finish()
    return run.history


def train_stages(
    model: Any,
    stages: Sequence[Stage],
    *,
    checkpoint: Path | None = None,
    on_step: OnStep = lambda step, loss: None,
    before: History | None = None,
    first: int = 0,
    begin: float | None = None,
) -> History:
    """Train `model` in place in several runs; a checkpoint goes on in the stage that it was written in.

    Parameters
    ----------
    model, checkpoint, before, begin
        As for `train`.
    stages : sequence of Stage
    on_step : callable
        Told the number of finished steps of these stages, and the loss.
    first : int
        Number of the first of them, where another model was trained before.
    """
    history, done = History() if before is None else before, 0
    numbered = [replace(stage.settings, stage=number) for number, stage in enumerate(stages, first)]
    resumed = stage_of(checkpoint, numbered[0]) if stages else 0
    for settings, stage in zip(numbered, stages, strict=True):
        if settings.stage >= resumed:
            history = train(
                model,
                settings,
                stage.first,
                stage.second,
                checkpoint=checkpoint,
                on_step=lambda step, loss, offset=done: on_step(offset + step, loss),
                before=history,
                begin=begin,
            )
        done += settings.n_steps
    return history


def saved_weights(checkpoint: Path, settings: TrainingSettings) -> dict[str, torch.Tensor]:
    """The weights in a checkpoint.

    Raises
    ------
    TrainingError
        If it belongs to another training.
    """
    return _read_checkpoint(checkpoint, settings)["model"]


def stage_of(checkpoint: Path | None, settings: TrainingSettings) -> int:
    """Number of the stage that a checkpoint was written in; 0 if there is none.

    Raises
    ------
    TrainingError
        If it belongs to another training.
    """
    if checkpoint is None or not checkpoint.exists():
        return 0
    return _stage_in(_read_checkpoint(checkpoint, settings))


def _stage_in(state: dict) -> int:
    """Number of the stage; files of before have none."""
    return int(state["settings"].get("stage", 0))


def _check_finite(loss: Loss, step: int) -> None:
    if not torch.isfinite(loss.energy):
        raise TrainingError(
            f"training stopped at step {step}: the mean energy of the system must be finite, got "
            f"{float(loss.energy.detach())}; check its reduced_energy and parameters"
        )
    if not torch.isfinite(loss.rest):
        raise TrainingError(
            f"training stopped at step {step}: the loss must be finite, got {float(loss.rest.detach())}; "
            "lower learning_rate"
        )


def _read_checkpoint(path: Path, settings: TrainingSettings) -> dict:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise TrainingError(
            f"checkpoint: {path} cannot be read ({type(error).__name__}); remove it", "checkpoint"
        ) from error
    if not isinstance(state, dict) or not _belongs(state.get("settings"), asdict(settings)):
        raise TrainingError(
            f"checkpoint: {path} belongs to a run with other settings; name another file or remove it",
            "checkpoint",
        )
    return state


def _belongs(found: Any, settings: dict[str, Any]) -> bool:
    """Whether a checkpoint's settings are those of this run, or of another stage of the same training."""
    if not isinstance(found, dict):
        return False
    found = {"stage": 0} | found
    if found["stage"] == settings["stage"]:
        return found == settings
    return all(found.get(name) == settings[name] for name in ("subject", "seed"))
