# SPDX-License-Identifier: MIT
"""Matrices that are functions of one covariance: the momentum-space multipliers of a general lattice.

With C = V diag(c) V^T, ``apply(x, m) = V diag(m) V^T x``. One multiplier m belongs to each level, that is to
all eigenvectors with the same eigenvalue: the matrix then commutes with every symmetry that C has. On a torus
the levels are shells of momenta, the largest eigenvalue is the order parameter's mode.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from edgphys.edg.core.module import Module

__all__ = ["SpectralBasis"]


class SpectralBasis(Module):
    """Eigenvectors and degenerate levels of a covariance.

    Parameters
    ----------
    covariance : float64 array, shape (n, n)

    Attributes
    ----------
    n_dims, n_levels : int
    variances : float64 array, shape (n_levels,)
        Eigenvalue of each level, ascending.
    """

    def __init__(self, covariance: NDArray[np.float64]) -> None:
        super().__init__()
        eigenvalues, vectors = np.linalg.eigh(covariance)
        # Rounding splits a degenerate level by 1e-14; different momenta differ by far more than 1e-7.
        steps = np.diff(eigenvalues) > 1e-7 * eigenvalues[1:]
        levels = np.concatenate([[0], np.cumsum(steps)])
        self.n_dims, self.n_levels = len(eigenvalues), int(levels[-1]) + 1
        self.variances = np.bincount(levels, eigenvalues) / np.bincount(levels)
        self.register_buffer("vectors", torch.tensor(vectors), persistent=False)
        self.register_buffer("levels", torch.tensor(levels), persistent=False)

    def level_variances(self, covariance: NDArray[np.float64]) -> NDArray[np.float64]:
        """Variances of another covariance in these modes, averaged over each level, shape (n_levels,)."""
        vectors, levels = self.vectors.cpu().numpy(), self.levels.cpu().numpy()
        diagonal = np.einsum("ik,ij,jk->k", vectors, covariance, vectors)
        return np.bincount(levels, diagonal) / np.bincount(levels)

    def expand(self, per_level: Tensor) -> Tensor:
        """(..., n_levels) -> (..., n_dims): one value per eigenvector."""
        return per_level[..., self.levels]

    def project(self, x: Tensor) -> Tensor:
        """Coefficients of x, shape (..., n_dims), in the eigenvectors."""
        return x @ self.vectors.to(x.dtype)

    def combine(self, coefficients: Tensor) -> Tensor:
        """Inverse of `project`."""
        return coefficients @ self.vectors.T.to(coefficients.dtype)

    def apply_multiplier(self, x: Tensor, per_dim: Tensor) -> Tensor:
        """V diag(per_dim) V^T x; `per_dim` is (n_dims,) or one row per sample."""
        return self.combine(self.project(x) * per_dim)
