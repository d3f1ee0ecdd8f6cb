# SPDX-License-Identifier: MIT
"""A numba energy as a function of torch; apart from the systems, so that these do not start torch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["CompiledEnergy"]


class CompiledEnergy(torch.autograd.Function):
    """A numba energy in torch, point by point, with the gradient of its kernel; once differentiable."""

    @staticmethod
    def forward(ctx, flat: Tensor, evaluate: Callable[[NDArray], tuple[NDArray, NDArray]]) -> Tensor:
        points = np.ascontiguousarray(flat.detach().cpu().numpy(), np.float64)
        energies, gradients = evaluate(points)
        ctx.save_for_backward(torch.from_numpy(gradients).to(flat))
        return torch.from_numpy(energies).to(flat)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, outer: Tensor) -> tuple[Tensor, None]:
        (gradients,) = ctx.saved_tensors
        return outer[:, None] * gradients, None
