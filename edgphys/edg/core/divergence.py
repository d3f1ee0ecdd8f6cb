# SPDX-License-Identifier: MIT
"""Divergence of a field of latents, sample by sample: exact, or estimated with random probes.

The field is a function of a batch whose rows do not talk to each other, so that one vector-Jacobian product
with the same vector in every row serves the whole batch.

* exact: `n_latent` vector-Jacobian products, in chunks of basis vectors;
* Hutchinson: ``<eps^T J eps> = tr J`` with Rademacher probes eps. Unbiased for the divergence, not for its
  exponential.

Everything is differentiable with respect to parameters that the field holds.

References
----------
Hutchinson, Commun. Stat. Simul. Comput. 19, 433 (1990).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["KINDS", "exact_divergence", "field_and_divergence", "probed_divergence", "rademacher"]

KINDS = ("exact", "hutchinson")

_Pull = Callable[[Tensor], tuple[Tensor, ...]]


def rademacher(n_probes: int, like: Tensor, generator: torch.Generator) -> Tensor:
    """Independent signs, shape (n_probes, *like.shape), dtype and device of `like`."""
    bits = torch.randint(0, 2, (n_probes, *like.shape), generator=generator, device=like.device)
    return 2.0 * bits.to(like.dtype) - 1.0


def exact_divergence(pull: _Pull, z: Tensor, chunk_size: int | None = None) -> Tensor:
    """Trace of the Jacobian of each sample, shape (n_batch,).

    Parameters
    ----------
    pull : callable
        Vector-Jacobian product at z, the second output of ``torch.func.vjp``.
    z : tensor, shape (n_batch, n_latent)
    chunk_size : int, optional
        Basis vectors treated at once, memory against overhead. Default: one on the CPU, where more did not
        pay, and 16 on an accelerator.
    """
    size = chunk_size if chunk_size is not None else 1 if z.device.type == "cpu" else 16
    total = torch.zeros_like(z[:, 0])
    for indices in torch.arange(z.shape[1], device=z.device).split(size):
        basis = torch.nn.functional.one_hot(indices, z.shape[1]).to(z.dtype)
        if size == 1:
            total = total + pull(basis.expand_as(z))[0][:, indices[0]]
        else:
            rows = torch.func.vmap(lambda vector: pull(vector.expand_as(z))[0])(basis)
            total = total + (rows * basis[:, None, :]).sum((0, 2))
    return total


def probed_divergence(pull: _Pull, probes: Tensor) -> Tensor:
    """Mean of ``eps^T J eps`` over probes of shape (n_probes, n_batch, n_latent); shape (n_batch,)."""
    return torch.stack([(pull(probe)[0] * probe).sum(1) for probe in probes]).mean(0)


def field_and_divergence(
    field: Callable[[Tensor], Tensor], z: Tensor, probes: Tensor | None, chunk_size: int | None = None
) -> tuple[Tensor, Tensor]:
    """The field at z and its divergence.

    Parameters
    ----------
    field : callable
        (n_batch, n_latent) -> (n_batch, n_latent), row by row.
    z : tensor, shape (n_batch, n_latent)
    probes : tensor, shape (n_probes, n_batch, n_latent), or None
        Rademacher probes; None asks for the exact divergence.
    chunk_size : int, optional
        For the exact divergence, see `exact_divergence`.

    Returns
    -------
    value : tensor, shape (n_batch, n_latent)
    divergence : tensor, shape (n_batch,)

    Examples
    --------
    >>> z = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> field_and_divergence(lambda y: y**2, z, None)[1]  # 2 (1 + 2), 2 (3 + 4)
    tensor([ 6., 14.])
    """
    made: tuple[Any, ...] = torch.func.vjp(field, z) if torch.is_grad_enabled() else _constant_vjp(field, z)
    value, pull = made[0], made[1]
    if probes is None:
        return value, exact_divergence(pull, z, chunk_size)
    return value, probed_divergence(pull, probes)


def _constant_vjp(field: Callable[[Tensor], Tensor], z: Tensor) -> tuple[Tensor, _Pull]:
    """``torch.func.vjp`` without derivatives of its results, for fields that hold a gradient themselves.

    That of an energy, by automatic differentiation: the transform refuses it.
    """
    with torch.enable_grad():
        at = z.detach().requires_grad_()
        value = field(at)

    def pull(vector: Tensor) -> tuple[Tensor, ...]:
        return torch.autograd.grad(value, at, vector, retain_graph=True)

    return value.detach(), pull
