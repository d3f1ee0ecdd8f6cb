# SPDX-License-Identifier: MIT
"""Modules with other tensors in place of their own, without touching them: the same code at other weights."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from edgphys.edg.core.module import AnyModule, twin

__all__ = ["with_tensors"]


def with_tensors(module: AnyModule, tensors: Mapping[str, Tensor]) -> AnyModule:
    """The module with some of its parameters and buffers replaced; gradients pass to the tensors.

    Everything else is shared: the copy follows later changes of what it shares.

    Parameters
    ----------
    module : Module
    tensors : mapping of str to tensor
        By the names that ``named_parameters`` and ``named_buffers`` give.

    Raises
    ------
    KeyError
        If there is no such parameter or buffer.

    Examples
    --------
    >>> import torch
    >>> layer = torch.nn.Linear(2, 1)
    >>> float(with_tensors(layer, {"weight": torch.ones(1, 2), "bias": torch.zeros(1)})(torch.ones(2)))
    2.0
    """
    other, inner = twin(module), {}
    for name, value in tensors.items():
        first, _, rest = name.partition(".")
        if rest:
            inner.setdefault(first, {})[rest] = value
            continue
        # Into the table itself: torch's own way takes nothing but leaves as parameters.
        table: dict = other._parameters if first in other._parameters else other._buffers
        if first not in table:
            raise KeyError(name)
        table[first] = value
    for name, values in inner.items():
        other._modules[name] = with_tensors(module.get_submodule(name), values)
    return other
