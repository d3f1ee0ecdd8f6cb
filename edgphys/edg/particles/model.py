# SPDX-License-Identifier: MIT
r"""The generative model of a cluster of particles: no label, and an encoder that undoes the decoder.

    z ~ N(0, 1),   x = mu(z) + s J(z) xi      (`edgphys.edg.particles.decoder`)

To first order in s, x = mu(z + s xi). With zeta(x) the preimage of x under mu,

    H = (zeta - alpha z_t + s^2 h) / (s^2 + sigma^2),
    Var(z0 | z_t, x) = s^2 sigma^2 / (s^2 + sigma^2) e^w,

h vectors and w a number of an equivariant network of (zeta, zeta - alpha z_t) that start at zero: what the
curvature of the decoder adds. The variance is the same for all directions. Permutations, rotations and
reflections turn z and x alike, so that encoder and weights are invariant.

Hamiltonian steps may follow (`edgphys.edg.particles.hamiltonian_steps`): x above is then x_0, what the target
sees is X = (x_K, v'_1, .., v'_K), and the encoder undoes the steps first.

`carried_bound` is the training objective of the decoder: the exact bound to first order in s, no encoder.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, final

import numpy as np
import torch
from torch import Tensor, nn

from edgphys.edg.core.bounds import Loss
from edgphys.edg.core.model import AbstractEDGModel, Decoded, Draw, log_normal
from edgphys.edg.core.module import Module
from edgphys.edg.core.networks import TimeEmbedding
from edgphys.edg.core.walls import walled_energy
from edgphys.edg.mixture.gaussian_mixture import walk
from edgphys.edg.particles.decoder import ParticleDecoder
from edgphys.edg.particles.hamiltonian_steps import HamiltonianSteps
from edgphys.edg.particles.layers import PairNetwork
from edgphys.edg.targets.continuous import ContinuousTarget, PhaseSpaceTarget

__all__ = ["ParticleModel", "carried_bound"]

_N_TIME = 16
_NOISE = 0.003
# Price of a layer that stretches too much, in nats; zero for a layer that can be inverted.
_EXCESS_PRICE = 300.0
# Where few latents go the layers must not fold either, or the encoder puts mass there that no draw meets: one
# latent of four is priced again at a radius anywhere within so many standard deviations of |z|.
_GUARD_SHARE, _GUARD_WIDTH = 4, 4.0
_N_WALKERS, _N_WALK_STEPS = 64, 150


@final
class ParticleModel(AbstractEDGModel):
    """Decoder and encoder of a cluster.

    Parameters
    ----------
    target : ContinuousTarget
        Of an `AbstractParticleSystem`.
    n_path_steps : int
    n_leapfrog : int
        Hamiltonian steps after the pair flows; with any the model's `target` is a `PhaseSpaceTarget`.
    decoder_size : tuple of int
        Features of a particle, and number of pair flows.
    encoder_size : tuple of int
        Hidden numbers of a pair, and rounds of messages.
    seed : int
        Of the initial weights.
    noise : float
        s, in units of the width of the latents; not trained.

    Raises
    ------
    ValueError
        If `noise` is not positive.
    """

    def __init__(
        self,
        target: ContinuousTarget,
        *,
        n_path_steps: int,
        n_leapfrog: int = 0,
        decoder_size: tuple[int, int],
        encoder_size: tuple[int, int],
        seed: int,
        noise: float = _NOISE,
    ) -> None:
        super().__init__()
        if not noise > 0.0:
            raise ValueError(f"noise must be positive, got {noise:g}")
        generator = torch.Generator().manual_seed(seed)
        system: Any = target.system
        cloud = _cloud(target, np.random.default_rng(seed))
        self.target, self.n_path_steps, self.steps = target, n_path_steps, None
        if n_leapfrog:
            self.target = PhaseSpaceTarget(target, n_leapfrog)
            gradient = target.training_system.gradient(torch.from_numpy(cloud))
            stiffness = float(gradient.square().mean(1).sqrt().median())
            self.steps = HamiltonianSteps(self.target.force, n_leapfrog, stiffness)
        self.decoder = ParticleDecoder(
            system.n_particles,
            system.n_axes,
            scale=float(np.std(cloud)),
            noise=noise,
            width=decoder_size[0],
            depth=decoder_size[1],
            generator=generator,
        )
        self.n_latent = self.decoder.n_dims
        self.time = TimeEmbedding(_N_TIME, generator)
        self.network = PairNetwork(
            2, 1, 1, _N_TIME, width=encoder_size[0], depth=encoder_size[1], generator=generator
        )
        self.path_log_variance = nn.Parameter(torch.zeros(n_path_steps))
        self._known: tuple = (None, None, None)

    @property
    def device(self) -> torch.device:
        return self.path_log_variance.device

    def at_couplings(self, couplings: Mapping[str, float]) -> ParticleModel:
        # The system trained on stays, and with it all that the networks know of an energy.
        other = self.twin()
        other.target = self.target.at(couplings)
        if other.steps is not None:
            other.steps = other.steps.driven_by(other.target.force)
        return other

    def _latents(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        dtype = self.path_log_variance.dtype
        z = torch.randn(n, self.n_latent, generator=generator, device=self.device, dtype=dtype)
        return z, torch.zeros(n, dtype=torch.int64, device=self.device)

    def draw(self, n_samples: int, generator: torch.Generator) -> Draw:
        z, label = self._latents(n_samples, generator)
        x, log_prob, _ = self.decoder.noisy(z, generator)
        x, log_steps = self._moved(x, generator)
        return Draw(z, label, x, log_prob + log_steps + log_normal(z))

    def _moved(self, x: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor | float]:
        return (x, 0.0) if self.steps is None else self.steps(x, generator)

    def _moved_back(self, x: Tensor) -> tuple[Tensor, Tensor | float]:
        return (x, 0.0) if self.steps is None else self.steps.back(x)

    def decode(self, n_batch: int, generator: torch.Generator) -> Decoded:
        z, label = self._latents(n_batch, generator)
        x, log_prob, excess = self.decoder.noisy(z, generator)
        x, log_steps = self._moved(x, generator)
        excess = excess.mean() + self.decoder.excess(self._guards(z, generator)).mean()
        rest = (log_prob + log_steps).mean().to(x) + _EXCESS_PRICE * excess
        return Decoded(z, label, x, torch.ones_like(z[:, 0]), rest)

    def _guards(self, z: Tensor, generator: torch.Generator) -> Tensor:
        """Latents in the tails of |z|, whose standard deviation is close to 1/sqrt 2."""
        z = z[: -(-len(z) // _GUARD_SHARE)]
        t = 2.0 * torch.rand(len(z), 1, generator=generator, device=z.device, dtype=z.dtype) - 1.0
        radius = math.sqrt(self.n_latent) + _GUARD_WIDTH * math.sqrt(0.5) * t
        return torch.nn.functional.normalize(z, dim=1) * radius.clamp(min=0.0)

    def drive(self, z: Tensor, x: Tensor, sigma: Tensor, label: Tensor) -> Tensor:
        return self._drive(z, x, sigma)[0]

    def denoise(
        self, z: Tensor, x: Tensor, alpha: Tensor, sigma: Tensor, label: Tensor, step: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        drive, log_factor = self._drive(z, x, sigma)
        square, noise = sigma[:, None].to(z.dtype) ** 2, self.decoder.noise**2
        if step is not None:
            log_factor = log_factor + self.path_log_variance[step][:, None]
        variance = noise * square / (noise + square) * torch.exp(log_factor)
        return alpha[:, None] * z + square * drive, variance.expand_as(z)

    def _drive(self, z: Tensor, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        """H, (n_batch, n_latent), and w, (n_batch, 1)."""
        sigma = sigma.to(z.dtype)
        decoder, wide, noise = self.decoder, sigma[:, None], self.decoder.noise**2
        alpha = torch.sqrt((1.0 - wide * wide).clamp(min=0.0))
        goal = self._preimage(x)
        error = goal - alpha * z
        scaled = error / torch.sqrt(noise + wide * wide)
        vectors = torch.stack([decoder.points(goal), decoder.points(scaled)], 2)
        bend, log_factor = self.network(vectors, self.time(sigma))
        return (error + noise * decoder.flat(bend[:, :, 0])) / (noise + wide * wide), log_factor

    def _forward_parameters(self) -> tuple[nn.Parameter, ...]:
        return (*self.decoder.parameters(), *(() if self.steps is None else self.steps.parameters()))

    def _preimage(self, x: Tensor) -> Tensor:
        """zeta(x); kept, because a path asks for it at every step, and pairs of noises share their x."""
        weights = tuple((id(p), p.data_ptr(), p._version) for p in self._forward_parameters())
        known, version, zeta = self._known
        if known is x and version == (x._version, weights):
            return zeta
        half = len(x) // 2
        twice = len(x) == 2 * half and torch.equal(x[:half], x[half:])
        with torch.no_grad():
            zeta = self.decoder.preimage(self._moved_back((x[:half] if twice else x).detach())[0])
        zeta = zeta.repeat(2, 1) if twice else zeta
        self._known = (x, (x._version, weights), zeta)
        return zeta

    def log_prior_label(self, label: Tensor) -> Tensor:
        return torch.zeros(len(label), device=label.device)

    def log_prob_label(self, x: Tensor, label: Tensor) -> Tensor:
        return torch.zeros(len(label), device=label.device)

    def draw_label(self, x: Tensor, generator: torch.Generator) -> Tensor:
        return torch.zeros(len(x), dtype=torch.int64, device=x.device)

    def log_prob_given(self, x: Tensor, z: Tensor, label: Tensor) -> Tensor:
        x, log_steps = self._moved_back(x)
        return self.decoder.log_prob(x, z) + log_steps + log_normal(z)


def carried_bound(model: ParticleModel, n_batch: int, generator: torch.Generator) -> Loss:
    """The bound with the posterior N(zeta / (1 + s^2), s^2 / (1 + s^2)), exact to first order in s.

        L = E[ log p_D(x | z) + U(x) ] + dim/2 log( s^2 / (1 + s^2) )

    No encoder is called; the last term is <log N(z) - log p_E(z | x)>.

    Parameters
    ----------
    model : ParticleModel
    n_batch : int
    generator : torch.Generator
        On the model's device.
    """
    batch, noise = model.decode(n_batch, generator), model.decoder.noise**2
    path = 0.5 * model.n_latent * math.log(noise / (1.0 + noise))
    energy = walled_energy(lambda x: model.target.energy(x, batch.condition), batch.x)
    return Loss(_tamed(energy).mean(), batch.rest + path)


def _tamed(energy: Tensor) -> Tensor:
    """Energies; of those far above the rest of the batch the logarithm, lest a collision alone counts."""
    with torch.no_grad():
        low, middle = torch.quantile(energy, energy.new_tensor([0.1, 0.5]))
        scale = 3.0 * (middle - low) + 3.0
    above = torch.relu(energy - middle - scale)
    return energy - above + scale * torch.log1p(above / scale)


def _cloud(target: Module, rng: np.random.Generator) -> np.ndarray:
    """Points of short Langevin walks of the training energy."""
    return walk(target, target.system.random_configurations(_N_WALKERS, rng), _N_WALK_STEPS, rng)
