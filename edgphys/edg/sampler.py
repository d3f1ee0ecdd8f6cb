# SPDX-License-Identifier: MIT
"""`EDG`: train an energy-based diffusion generator on a system, draw weighted samples, get log Z.

    edg = EDG(system).fit(seed=0)
    samples = edg.sample(10_000, seed=1)          # independent draws with log_weight_joint, E[w] = Z
    chain = edg.chain(10_000, seed=2)             # Markov chain, exact whatever the network

A decoder turns Gaussian latents z into x in one shot; a diffusion model of z given x, its encoder, turns the
pair into a bound on log Z for training and into unbiased importance weights for sampling (see `objective` and
`path`). The file is long because the one class that users call documents all its options.

References
----------
Wang, Guo, Wu, Zhou, arXiv:2401.02080 (Neural Networks 194 (2026) 108126).
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from edgphys._progress import ProgressBar
from edgphys.edg import storage
from edgphys.edg.checks import check_energy, count, device_of, folder_of, positive, share
from edgphys.edg.core.bounds import path_bound
from edgphys.edg.core.model import AbstractEDGModel
from edgphys.edg.core.path import reverse_log_weights
from edgphys.edg.core.training import History, TrainingSettings, train
from edgphys.edg.recipes import recipe_for
from edgphys.edg.targets.continuous import ContinuousTarget, PhaseSpaceTarget
from edgphys.edg.weights.annealing import Annealing
from edgphys.edg.weights.chain import accepted_indices
from edgphys.edg.weights.draws import Weighing, ode_options
from edgphys.edg.weights.round_trip import RoundTrips
from edgphys.systems.base import AbstractSystem, check_system
from edgphys.systems.lattice.base import AbstractLatticeSystem
from edgphys.systems.provenance import sample_attrs

__all__ = ["EDG"]

_CHAIN_WARM_UP = 0.1
# Draws from which those of the annealing's pilot are chosen by their weights.
_N_PILOT = 512
# A tenth of the draws, at most so many, is sent back through the encoder.
_MOST_ROUND_TRIPS = 1000


class EDG:
    """Energy-based diffusion generator for one system.

    Parameters
    ----------
    system : AbstractSystem
        What is sampled.
    decoder : str, default "auto"
        "field" for lattices, "particles" for clusters, "mixture" for other continuous systems; "mixture" and
        "hamiltonian" (GHD) serve every differentiable system, without its symmetries.
    target : str, default "auto"
        Lattices: which exact partial sum is used, see `edgphys.edg.targets.registry.target_names`: for Ising
        "decimation" (bipartite lattices) or "relaxation", for phi^4 "sublattice" (bipartite lattices) or
        "field".
    n_path_steps : int, default 8
        K of the path whose bound is trained and whose weights are the default.
    decoder_size, encoder_size : tuple of int
        Channels (width) and blocks (depth) of the two networks; default (16, 3) each on lattices, (64, 2)
        for "mixture" and "hamiltonian", (8, 8) and (16, 2) for "particles".
    n_components : int, default 256
        "mixture", "hamiltonian": most components of the Gaussian mixture that the decoder starts from; fewer
        if nine tenths of its draws are effective with fewer. 1 leaves everything to the networks.
    n_blocks : int
        "mixture": blocks of variables with one law, which share networks and mixture (the pairs of the
        many-well energy); default: what the system declares.
    n_leapfrog : int
        Steps of Hamiltonian dynamics in the decoder: "hamiltonian", default 4; "particles", after the pair
        flows, default 0.
    encoder : {"diffusion", "gaussian"}
        "mixture", "hamiltonian": "gaussian" is the encoder of a variational autoencoder, for comparison.
    train_at : dict of str to float
        Continuous systems: parameters at which training sees the system, such as a higher ``temperature`` or
        a softened ``core``; by default, for clusters of particles, those of their ``easy_parameters``. The
        weights always take the system as it is, to which `sample` anneals the draws (``n_anneal``).
    form : {"angle", "paper"}
        Lattices: "angle" is the default form (angle schedule, antithetic pairs, no derivative of the
        encoder); "paper" is the paper's own (score network with boundary interpolation in t/T). Both give
        the same kinds of weights.
    schedule : {"sub-vp", "vp-linear"}, default "sub-vp"
        Diffusion of the paper's form; only with ``form="paper"``.
    trace : {"hutchinson", "exact"}, default "hutchinson"
        Divergence of the score in training; only with ``form="paper"``.
    time_proposal : {"learned", "uniform"}, default "learned"
        Where the diffusion time is drawn from in training; only with ``form="paper"``.

    Attributes
    ----------
    system : AbstractSystem
    options : dict
        Those above that the decoder has, with their defaults.
    model : AbstractEDGModel
        Before `fit`, the physical start (Hartree on lattices, a Gaussian mixture for few variables), whose
        weights are already unbiased.
    history : Dataset
        Minus the loss at every step, a noisy lower bound on log Z; empty before `fit`.

    Raises
    ------
    TypeError
        If `system` is no system.
    UnknownNameError
        If there is no such target or decoder.
    ValueError
        If a size is not positive, or an option is not one of those listed, or belongs to another decoder.

    Examples
    --------
    >>> import lattices
    >>> from edgphys.systems import Ising
    >>> edg = EDG(Ising(lattices.build("chain", (6,)), temperature=2.0)).fit(seed=0, n_steps=2)
    >>> samples = edg.sample(100, seed=1)
    >>> dict(samples.sizes), "log_weight_joint" in samples
    ({'draw': 100}, True)
    """

    def __init__(
        self,
        system: AbstractSystem,
        *,
        decoder: str = "auto",
        target: str | None = None,
        n_path_steps: int | None = None,
        decoder_size: tuple[int, int] | None = None,
        encoder_size: tuple[int, int] | None = None,
        n_components: int | None = None,
        n_blocks: int | None = None,
        n_leapfrog: int | None = None,
        encoder: str | None = None,
        train_at: Mapping[str, float] | None = None,
        form: str | None = None,
        schedule: str | None = None,
        trace: str | None = None,
        time_proposal: str | None = None,
    ) -> None:
        self.system = check_system(system)
        self._recipe, self.options = recipe_for(
            system,
            {
                "decoder": decoder,
                "target": target,
                "n_path_steps": n_path_steps,
                "decoder_size": decoder_size,
                "encoder_size": encoder_size,
                "n_components": n_components,
                "n_blocks": n_blocks,
                "n_leapfrog": n_leapfrog,
                "encoder": encoder,
                "train_at": train_at,
                "form": form,
                "schedule": schedule,
                "trace": trace,
                "time_proposal": time_proposal,
            },
        )
        self._trained: dict[str, Any] = {}
        self._history = History()
        self._model: AbstractEDGModel | None = None

    def _build(self, seed: int, weights: dict[str, Tensor] | None = None) -> AbstractEDGModel:
        return self._recipe.build(self.system, self.options, seed, weights)

    @property
    def model(self) -> AbstractEDGModel:
        """Decoder and encoder; built from seed 0 if `fit` has not been called."""
        if self._model is None:
            self._model = self._build(seed=0)
        return self._model

    @property
    def history(self) -> xr.Dataset:
        """Minus the loss at every training step: a noisy lower bound on log Z, dim ``step``."""
        attrs = {"definition": f"minus the training loss, one batch: {self._recipe.objective}"}
        return xr.Dataset({"bound": ("step", -np.asarray(self._history.losses))}, attrs=attrs)

    def fit(
        self,
        seed: int,
        n_steps: int | None = None,
        batch_size: int | None = None,
        *,
        learning_rate: float = 3e-3,
        path_share: float | None = None,
        annealing: float = 0.0,
        patience: int | None = None,
        device: str | torch.device | None = None,
        progress: bool | None = None,
        checkpoint: str | Path | None = None,
    ) -> EDG:
        """Train from the physical start; returns self.

        Parameters
        ----------
        seed : int
            Of weights and batches.
        n_steps : int, optional
            Most optimiser steps. Default: enough for a small system, see `default_steps`.
        batch_size : int, optional
            Decoder samples per step, at least one per label; default 128, for few variables 256.
        learning_rate : float
            Largest, of Adam.
        path_share : float, optional
            Part of the run, at its end, spent on the K-step path bound, in [0, 1]. Default: 0.5, and 0 for
            the paper's form, which has no such part.
        annealing : float
            Part of the run, at its beginning, in which the energy is scaled by a factor that rises from 0.1
            to 1, in [0, 1].
        patience : int, optional
            The first part ends early when the bound has not improved over so many steps. Default: 500; never
            for particles.
        device : str or torch.device, optional
            Default: a GPU when there is one.
        progress : bool, optional
            Bar on stderr. Default: when stderr is a terminal.
        checkpoint : path, optional
            File that keeps the state; a run that was killed goes on from it to the same result.

        Raises
        ------
        TrainingError
            If the energy or the loss is not finite, or the checkpoint belongs to another run.
        """
        settings = TrainingSettings(
            n_steps=self.default_steps() if n_steps is None else count(n_steps, "n_steps", 0),
            batch_size=self._recipe.batch_size if batch_size is None else count(batch_size, "batch_size", 3),
            learning_rate=positive(learning_rate, "learning_rate"),
            path_share=self._recipe.path_share(self.options)
            if path_share is None
            else share(path_share, "path_share"),
            annealing=share(annealing, "annealing"),
            max_gradient=5.0,
            averaging=0.99,
            patience=self._recipe.patience if patience is None else count(patience, "patience", 1),
            seed=count(seed, "seed", 0),
            subject=self._subject(),
        )
        path = None if checkpoint is None else folder_of(Path(checkpoint), "checkpoint")
        check_energy(self.system)
        start = time.perf_counter()
        model = self._build(settings.seed).to(device_of(device))
        with ProgressBar("training", settings.n_steps, progress) as bar:
            first = self._recipe.first_bound(model, self.options)
            on_step = lambda done, loss: bar.update(done, f"bound {-loss:.2f}")  # noqa: E731
            history = train(model, settings, first, path_bound, checkpoint=path, on_step=on_step)
        self._model, self._history = model.eval(), history
        self._trained = {
            "seed": settings.seed,
            "n_steps": len(history.losses),
            "batch_size": settings.batch_size,
            "learning_rate": settings.learning_rate,
            "path_share": settings.path_share,
            "plateau_step": history.plateau_step,
            "training_time": time.perf_counter() - start,
            "n_gradient_calls": len(history.losses) * settings.batch_size,
        }
        # Targets that count know better, with what decoder, encoder and the search for basins evaluated.
        self._trained |= {name: n for name, n in self._calls().items() if n}
        return self

    def _calls(self) -> dict[str, int]:
        """Evaluations of energy and gradient by the model so far; not counted on lattices."""
        target = self.model.target
        names = ("n_energy_calls", "n_gradient_calls")
        return {name: int(getattr(target, name, 0)) for name in names}

    def _calls_since(self, before: dict[str, int]) -> dict[str, int]:
        """What was evaluated since, taken off the counters: those are of the start and of the training."""
        target = self.model.target
        spent = {name: n - before[name] for name, n in self._calls().items()}
        for name, n in before.items():
            if hasattr(target, name):
                setattr(target, name, n)
        return spent

    def _subject(self) -> str:
        """What a checkpoint belongs to, to the last digit of the couplings."""
        geometry: Any = []
        if isinstance(self.system, AbstractLatticeSystem):
            lattice = self.system.lattice
            geometry = [lattice.name, list(lattice.extent), [int(periodic) for periodic in lattice.pbc]]
        else:
            # Functions and data of one's own are no parameters.
            geometry = self.system.identity()
        return json.dumps([self.system.name, geometry, self.system.parameters, _plain(self.options)])

    def default_steps(self) -> int:
        """Optimiser steps that `fit` takes unless told; on lattices 600 to 64 sites, then like the root."""
        return self._recipe.default_steps(self.system, self.options)

    def sample(
        self,
        n_samples: int,
        seed: int,
        *,
        n_path_steps: int | None = None,
        keep: bool = False,
        weights: str = "path",
        divergence: str = "exact",
        n_probes: int = 1,
        n_ode_steps: int = 16,
        n_anneal: int | None = None,
        batch_size: int = 1000,
        progress: bool | None = None,
    ) -> xr.Dataset:
        """Independent draws with importance weights.

        Parameters
        ----------
        n_samples : int
            At least 1.
        seed : int
        n_path_steps : int, optional
            K of the path weights; unbiased for every K. Default: the one trained.
        keep : bool
            Keep the configurations.
        weights : {"path", "ode"}
            "path": K encoder calls, strictly unbiased. "ode": the paper's probability-flow integral
            (torchdiffeq, rk4), unbiased up to the step; hundreds of times dearer, for comparison.
        divergence : {"exact", "hutchinson"}
            Of the flow, for "ode". With "hutchinson" the exponent is noisy: `estimate` refuses such samples,
            because E[exp(noise)] > 1 would pass for free energy.
        n_probes : int
            Rademacher probes per draw, for "hutchinson".
        n_ode_steps : int
            Steps in the angle, for "ode".
        n_anneal : int
            Continuous systems: rungs of annealed importance sampling from the system at `train_at` to the
            system itself, an HMC trajectory each, see `edgphys.edg.weights.annealing`; 0 weighs the draws
            themselves. Default: as many as bring the variance of log w along the ladder to 0.25, at most 4000
            (their number is in the settings), and 0 where `train_at` changes nothing.
        batch_size : int
            Draws at a time; part of what the seed means.
        progress : bool, optional
            Bar on stderr. Default: when stderr is a terminal.

        Returns
        -------
        Dataset
            Dim ``draw``: observables, ``reduced_energy`` (of the configuration) and ``log_weight_joint``,
            float64; ``configurations`` with `keep`. attrs ``n_sent_back`` and ``n_unseen``: of a tenth of the
            draws, those whose latents the encoder draws anew outside of what the decoder reaches, see
            `edgphys.edg.weights.round_trip`; `estimate` judges the weights by them too.
        """
        n_samples = count(n_samples, "n_samples", 1)
        n_steps = (
            self.options["n_path_steps"] if n_path_steps is None else count(n_path_steps, "n_path_steps", 1)
        )
        batch_size = count(batch_size, "batch_size", 1)
        encoder = self.options.get("encoder")
        ode = ode_options(
            encoder, weights=weights, divergence=divergence, n_probes=n_probes, n_ode_steps=n_ode_steps
        )
        start = time.perf_counter()
        before = self._calls()
        annealing = self._annealing(n_anneal, count(seed, "seed", 0))
        generator = torch.Generator(device=self.model.device).manual_seed(count(seed, "seed", 0))
        log_w, configurations = [], []
        trips = self._round_trips(min(_MOST_ROUND_TRIPS, n_samples // 10), seed)
        weigh = Weighing(n_steps, generator, ode, trips)
        with ProgressBar("draws", n_samples, progress) as bar:
            for first in range(0, n_samples, batch_size):
                size = min(batch_size, n_samples - first)
                batch_log_w, batch = self._weighted_batch(size, weigh, annealing)
                log_w.append(batch_log_w.cpu())
                configurations.append(batch.cpu())
                bar.advance(size)
        settings = {"n_samples": n_samples, "batch_size": batch_size, "weights": weights}
        if annealing:
            settings |= {"n_anneal": annealing.n_rungs, "ess_start": annealing.start_share()}
        unseen = trips.unseen(self.model, n_steps)
        inner = self._calls_since(before)
        inner["n_gradient_calls"] += annealing.n_gradient_calls if annealing else 0
        samples = self._dataset(
            torch.cat(configurations),
            {"log_weight_joint": torch.cat(log_w).numpy()},
            method="edg",
            seed=seed,
            settings=settings | ({"n_path_steps": n_steps} if ode is None else ode),
            start=start,
            keep=keep,
            inner=inner,
        )
        samples.attrs["log_weight_exact"] = int(ode is None or divergence == "exact")
        samples.attrs |= unseen
        return samples

    def _round_trips(self, n_wanted: int, seed: int) -> RoundTrips:
        sequence = np.random.SeedSequence(seed, spawn_key=(3,))
        generator = torch.Generator(device=self.model.device).manual_seed(_torch_seed(sequence))
        return RoundTrips(n_wanted, np.random.default_rng(sequence), generator)

    def _annealing(self, n_rungs: int | None, seed: int) -> Annealing | None:
        """The ladder from the system trained on to the system itself, from a pilot of its own seed."""
        if n_rungs is None and not self.options.get("train_at"):
            return None
        if n_rungs is not None and count(n_rungs, "n_anneal", 0) == 0:
            return None
        target = self.model.target
        if not isinstance(target, ContinuousTarget | PhaseSpaceTarget):
            raise ValueError(f"n_anneal must be 0 for the system {self.system.name}, got {n_rungs}")
        pilot, production = np.random.SeedSequence(seed, spawn_key=(2,)).spawn(2)
        generator = torch.Generator(device=self.model.device).manual_seed(_torch_seed(pilot))
        x, log_w = self._start_batch(_N_PILOT, Weighing(self.options["n_path_steps"], generator))
        ladder = (target.training_system, self.system, n_rungs)
        return Annealing(*ladder, x, log_w, np.random.default_rng(pilot), np.random.default_rng(production))

    @torch.no_grad()
    def _start_batch(self, size: int, weigh: Weighing) -> tuple[np.ndarray, np.ndarray]:
        """Draws, float64, with log weights for the system at `train_at`."""
        draw = self.model.draw(size, weigh.generator)
        x, log_density = self.model.target.start(draw.x)
        return x.cpu().numpy(), weigh(self.model, draw, log_density).cpu().numpy()

    @torch.no_grad()
    def _weighted_batch(
        self, size: int, weigh: Weighing, annealing: Annealing | None
    ) -> tuple[Tensor, Tensor]:
        """log weights and flat configurations."""
        if annealing is not None:
            x, log_w = annealing(*self._start_batch(size, weigh))
            configurations = self.system.to_configurations(torch.from_numpy(x)).flatten(1)
            return torch.from_numpy(log_w), configurations
        draw = self.model.draw(size, weigh.generator)
        log_density, configurations = self.model.target.lift(draw.x, weigh.generator)
        return weigh(self.model, draw, log_density), configurations

    def chain(
        self,
        n_samples: int,
        seed: int,
        *,
        n_chains: int = 4,
        n_path_steps: int | None = None,
        n_anneal: int | None = None,
        keep: bool = False,
        progress: bool | None = None,
    ) -> xr.Dataset:
        """Independence Metropolis on the joint space, exact for any network; see `edgphys.edg.weights.chain`.

        Parameters
        ----------
        n_samples : int
            States kept, over all chains, a multiple of `n_chains`; a tenth more is drawn and discarded as
            warm-up.
        seed : int
        n_chains : int
            Each with its own proposals.
        n_path_steps, n_anneal, keep, progress
            As for `sample`.

        Returns
        -------
        Dataset
            Dims ``(chain, draw)``, observables and ``reduced_energy``; ``acceptance`` in the settings.
        """
        n_samples, n_chains = count(n_samples, "n_samples", 1), count(n_chains, "n_chains", 1)
        if n_samples % n_chains:
            raise ValueError(f"n_samples must be a multiple of n_chains = {n_chains}, got {n_samples}")
        start = time.perf_counter()
        n_draws = n_samples // n_chains
        n_warmup = max(10, int(_CHAIN_WARM_UP * n_draws))
        proposals = self.sample(
            n_chains * (n_warmup + n_draws),
            seed,
            n_path_steps=n_path_steps,
            n_anneal=n_anneal,
            keep=True,
            progress=progress,
        )
        shape = (n_chains, n_warmup + n_draws)
        log_w = proposals["log_weight_joint"].to_numpy().reshape(shape)
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
        states = accepted_indices(log_w, rng)
        kept = states[:, n_warmup:] + shape[1] * np.arange(n_chains)[:, None]
        accepted = np.diff(states[:, n_warmup - 1 :], axis=1) != 0
        chosen = torch.from_numpy(proposals["configurations"].to_numpy()[kept.ravel()])
        settings = json.loads(proposals.attrs["settings"]) | {"n_samples": n_samples, "n_chains": n_chains}
        settings |= {"n_warmup": n_warmup, "acceptance": float(accepted.mean())}
        chain = self._dataset(
            chosen.flatten(1),
            {},
            method="edg_chain",
            seed=seed,
            settings=settings,
            start=start,
            keep=keep,
            inner={},
            chains=(n_chains, n_draws),
        )
        for name in ("n_energy_calls", "n_gradient_calls"):
            chain.attrs[name] = proposals.attrs[name]  # with the warm-up
        return chain

    def upper_bound(self, reference: xr.Dataset, seed: int, *, n_path_steps: int | None = None) -> xr.Dataset:
        """Upper bound on log Z from reference samples sent backwards through the encoder.

        With the lower bound (``elbo``) it sandwiches log Z, and reveals modes that the decoder dropped, which
        no effective sample size of its own draws can.

        Parameters
        ----------
        reference : Dataset
            MCMC samples of the same system with ``configurations`` (``keep=True``), dims (chain, draw, ...).
        seed : int
        n_path_steps : int, optional
            As for `sample`.

        Returns
        -------
        Dataset
            Dims (chain, draw): ``log_weight_reverse``, whose average is the bound.

        Raises
        ------
        ValueError
            If `reference` has no configurations, or they are of another size or system.
        """
        if not isinstance(reference, xr.Dataset):
            raise TypeError(f"reference must be an xarray.Dataset of samples, got {type(reference).__name__}")
        if "configurations" not in reference:
            raise ValueError("reference must have the variable configurations (run with keep=True), got none")
        n_steps = (
            self.options["n_path_steps"] if n_path_steps is None else count(n_path_steps, "n_path_steps", 1)
        )
        if not {"chain", "draw"} <= set(reference["configurations"].dims):
            dims = reference["configurations"].dims
            raise ValueError(f"reference must have the dims (chain, draw, ...) of Markov chains, got {dims}")
        values = reference["configurations"].transpose("chain", "draw", ...).to_numpy()
        sizes = values.shape[:2]
        if not np.isfinite(values).all():
            n_bad = int((~np.isfinite(values)).sum())
            raise ValueError(f"reference must have finite configurations, got {n_bad} numbers that are not")
        if values.shape[2:] != self.system.event_shape:
            raise ValueError(
                f"reference must have configurations of shape {self.system.event_shape}, "
                f"got {values.shape[2:]}"
            )
        of = [reference.attrs.get(name) for name in ("system", "parameters")]
        if of != [self.system.name, json.dumps(self.system.parameters)]:
            raise ValueError(
                f"reference must be of {self.system!r}, got samples of {of[0]} with parameters {of[1]}"
            )
        generator = torch.Generator(device=self.model.device).manual_seed(count(seed, "seed", 0))
        parts, before, start = [], self._calls(), time.perf_counter()
        flat = values.reshape(sizes[0] * sizes[1], -1)
        for block in np.array_split(flat, max(1, len(flat) // 1000)):
            states = torch.tensor(block, dtype=torch.float32, device=self.model.device)
            x, log_density = self.model.target.lower(states, generator)
            parts.append(reverse_log_weights(self.model, x, log_density, n_steps, generator).cpu())
        self._calls_since(before)
        log_w = torch.cat(parts).numpy().reshape(sizes)
        calls = self._calls()
        attrs = sample_attrs(
            self.system,
            method="edg_upper_bound",
            seed=int(seed),
            wall_time=time.perf_counter() - start,
            settings={**_plain(self.options), "n_path_steps": n_steps},
            n_energy_calls=len(flat) + _total(calls),
            n_gradient_calls=int(calls.get("n_gradient_calls", 0)),
        )
        words = "log weight along the encoder's path; its mean is an upper bound on log_z"
        attrs |= {"kind": "bound", "definition": words}
        return xr.Dataset({"log_weight_reverse": (("chain", "draw"), log_w)}, attrs=attrs)

    def _dataset(
        self,
        configurations: Tensor,
        more: dict[str, np.ndarray],
        *,
        method: str,
        seed: int,
        settings: dict[str, Any],
        start: float,
        keep: bool,
        inner: dict[str, int],
        chains: tuple[int, int] | None = None,
    ) -> xr.Dataset:
        """Measure flat configurations and wrap everything; `chains` splits the draws into (chain, draw).

        `inner` counts what decoder and encoder evaluated for these draws.
        """
        system, dims = self.system, ("draw",) if chains is None else ("chain", "draw")
        shape = (len(configurations),) if chains is None else chains
        observables = system.measure(configurations.reshape(-1, *system.event_shape))
        # In units of k_B T: the exponent that a Monte Carlo of the configurations would see.
        columns = {**observables, "reduced_energy": system.beta * observables["energy"], **more}
        variables = {name: (dims, values.reshape(shape)) for name, values in columns.items()}
        if keep:
            kept = configurations.numpy().reshape(*shape, *system.event_shape)
            variables["configurations"] = ((*dims, *system.configuration_dims()), kept)
        calls = self._trained or self._calls()
        attrs = sample_attrs(
            system,
            method=method,
            seed=int(seed),
            wall_time=time.perf_counter() - start,
            settings={**_plain(self.options), **settings, "training": self._trained},
            n_energy_calls=int(settings["n_samples"]) + _total(inner) + _total(calls),
            n_gradient_calls=int(calls.get("n_gradient_calls", 0)) + int(inner.get("n_gradient_calls", 0)),
        )
        return xr.Dataset(variables, attrs=attrs)

    def save(self, path: str | Path, *, overwrite: bool = False) -> None:
        """Write system, options and weights to one file.

        A function of one's own (`Potential`), or data, are not in it: hand the system in to `load` again.

        Raises
        ------
        DatasetError
            If the system is a class of one's own.
        FileExistsError
            If the file exists and `overwrite` is not set.
        ValueError
            If the folder does not exist.
        """
        path = folder_of(Path(path), "path")
        if path.exists() and not overwrite:
            raise FileExistsError(f"path: {path} exists; name another file or pass overwrite=True")
        storage.write(path, self.system, _plain(self.options), self._trained, self._history, self.model)

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        system: AbstractSystem | None = None,
        device: str | torch.device | None = None,
    ) -> EDG:
        """The sampler that `save` wrote.

        Parameters
        ----------
        path : path
        system : AbstractSystem, optional
            Only needed for a `Potential`, or a system with data of one's own: no file holds a function.
        device : str or torch.device, optional
            Default: a GPU when there is one.

        Raises
        ------
        TypeError
            If `path` is no path, or `system` no system.
        DatasetError
            If there is no such file or it is not one of ours, or `system` is missing or another one.
        """
        if not isinstance(path, str | Path):
            raise TypeError(f"path must be a str or a Path, got {type(path).__name__}")
        if system is not None:
            check_system(system)
        content = storage.read(Path(path), system)
        edg = cls(content.system, **content.options)
        edg._trained, edg._history = content.trained, content.history
        model = edg._build(content.trained.get("seed", 0), content.weights)
        model.load_state_dict(content.weights)
        edg._model = model.to(device_of(device)).eval()
        return edg


def _torch_seed(sequence: np.random.SeedSequence) -> int:
    return int(sequence.generate_state(1, np.uint64)[0]) >> 1


def _total(calls: dict[str, Any]) -> int:
    """Evaluations of the energy, alone or with its gradient."""
    return int(calls.get("n_energy_calls", 0)) + int(calls.get("n_gradient_calls", 0))


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in options.items()}
