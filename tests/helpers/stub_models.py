# SPDX-License-Identifier: MIT
"""A linear Gaussian model with the interface of `EDGModel`: every term of its bounds is a closed form.

    x = A z + s xi,     R = s^2 + sigma^2 A A^T,     H* = A^T R^{-1} (x - alpha A z_t)

is the exact encoder on the angle schedule. The stub encoder is ``H = gain H* + tilt z_t``: wrong unless gain
= 1 and tilt = 0. Since H* does not depend on z_t given (u, xi), with tau = tr(A^T R^{-1} A) and d = n_latent,

    sigma <|H|^2> + 2 <H.u> = sigma [ (gain^2 - 2 gain) tau + tilt^2 d ] .
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from edgphys.edg.field.model import EDGModel

__all__ = ["LinearModel"]


class _Decoder(nn.Module):
    def __init__(self, matrix: Tensor, noise: float) -> None:
        super().__init__()
        self.matrix, self.sd = matrix, noise
        self.n_dims, self.n_latent = matrix.shape

    def mean(self, z: Tensor, sign: Tensor) -> Tensor:
        return z @ self.matrix.T.to(z.dtype)

    def add_noise(self, mean: Tensor, xi: Tensor) -> Tensor:
        return mean + self.sd * xi

    def entropy(self) -> Tensor:
        entropy = self.n_dims * (0.5 + 0.5 * math.log(2.0 * math.pi) + math.log(self.sd))
        return torch.tensor(entropy, dtype=torch.float64)


class _Encoder(nn.Module):
    def __init__(self, gain: float, tilt: float) -> None:
        super().__init__()
        self.gain, self.tilt = gain, tilt

    def drive(self, decoder: _Decoder, z: Tensor, x: Tensor, sigma: Tensor, sign: Tensor) -> Tensor:
        matrix, wide = decoder.matrix.to(z.dtype), sigma[:, None]
        alpha = torch.sqrt((1.0 - wide**2).clamp(min=0.0))
        values, vectors = torch.linalg.eigh(matrix @ matrix.T)
        residual = (x - alpha * (z @ matrix.T)) @ vectors
        exact = (residual / (decoder.sd**2 + wide**2 * values)) @ vectors.T @ matrix
        return self.gain * exact + self.tilt * z


class LinearModel(nn.Module):
    """Decoder, encoder and Gaussian target of energy ``x P x / 2``.

    Parameters
    ----------
    gain, tilt : float
        Of the encoder.
    """

    # Labels mean nothing here: neither bound may depend on them, nor on the weights of their samples.
    symmetric = True
    device = torch.device("cpu")
    n_latent = 4
    decode, _stratified_labels = EDGModel.decode, EDGModel._stratified_labels

    def __init__(self, gain: float = 1.0, tilt: float = 0.0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(7)
        like = {"generator": generator, "dtype": torch.float64}
        matrix, root = torch.randn(3, 4, **like), torch.randn(3, 3, **like)
        self.precision = 0.3 * torch.eye(3, dtype=torch.float64) + 0.1 * root @ root.T
        self.decoder, self.encoder = _Decoder(matrix, 0.8), _Encoder(gain, tilt)
        self.target = self

    at = EDGModel.at

    def energy(self, x: Tensor, condition: Tensor | None = None) -> Tensor:
        return 0.5 * ((x @ self.precision.to(x.dtype)) * x).sum(1)

    def drive(self, z: Tensor, x: Tensor, sigma: Tensor, sign: Tensor) -> Tensor:
        return self.encoder.drive(self.decoder, z, x, sigma, sign)

    def label_probabilities(self) -> Tensor:
        return torch.tensor([0.475, 0.05, 0.475])

    def log_prior_label(self, sign: Tensor) -> Tensor:
        return torch.log(self.label_probabilities())[sign.long() + 1]

    def log_prob_label(self, x: Tensor, sign: Tensor) -> Tensor:
        return self.log_prior_label(sign)

    @property
    def covariance(self) -> Tensor:
        """Of x under the decoder."""
        identity = torch.eye(3, dtype=torch.float64)
        return self.decoder.matrix @ self.decoder.matrix.T + self.decoder.sd**2 * identity

    @property
    def exact_log_z(self) -> float:
        return float(1.5 * math.log(2.0 * math.pi) - 0.5 * torch.logdet(self.precision))

    @property
    def exact_energy(self) -> float:
        return 0.5 * float((self.precision * self.covariance).sum())

    def exact_rate(self, sigma: float) -> float:
        """``(gain^2 - 2 gain) tau + tilt^2 d`` at one sigma."""
        values = torch.linalg.eigvalsh(self.decoder.matrix @ self.decoder.matrix.T)
        tau = float((values / (self.decoder.sd**2 + sigma**2 * values)).sum())
        gain, tilt = self.encoder.gain, self.encoder.tilt
        return (gain**2 - 2.0 * gain) * tau + tilt**2 * self.decoder.n_latent

    def exact_rest(self, last_sigma: float = 1.0) -> float:
        """Mean of a loss without its energy, H cut off beyond `last_sigma`: the integral done."""
        values = torch.linalg.eigvalsh(self.decoder.matrix @ self.decoder.matrix.T)
        information = 0.5 * float(torch.log1p(last_sigma**2 * values / self.decoder.sd**2).sum())
        gain, tilt = self.encoder.gain, self.encoder.tilt
        path = (gain**2 - 2.0 * gain) * information + 0.5 * tilt**2 * self.decoder.n_latent * last_sigma**2
        return path - float(self.decoder.entropy())

    def exact_bound(self, last_sigma: float = 1.0) -> float:
        """Mean of a loss."""
        return self.exact_energy + self.exact_rest(last_sigma)

    def exact_posterior_log_prob(self, z: Tensor, x: Tensor) -> Tensor:
        """log p(z | x), a Gaussian."""
        matrix, sd = self.decoder.matrix, self.decoder.sd
        precision = torch.eye(4, dtype=torch.float64) + matrix.T @ matrix / sd**2
        mean = torch.linalg.solve(precision, (x @ matrix / sd**2).T).T
        law = torch.distributions.MultivariateNormal(mean, precision_matrix=precision)
        return law.log_prob(z)
