# SPDX-License-Identifier: MIT
"""Modules with other tensors in place of their own, without touching them: the same code at other weights."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TypeVar

from torch import Tensor, nn

__all__ = ["with_tensors"]

AnyModule = TypeVar("AnyModule", bound=nn.Module)


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
    >>> layer = nn.Linear(2, 1)
    >>> float(with_tensors(layer, {"weight": torch.ones(1, 2), "bias": torch.zeros(1)})(torch.ones(2)))
    2.0
    """
    other = copy.copy(module)
    for kind in ("_parameters", "_buffers", "_modules"):
        other.__dict__[kind] = dict(module.__dict__[kind])
    inner: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        first, _, rest = name.partition(".")
        if rest:
            inner.setdefault(first, {})[rest] = value
        else:
            other.__dict__["_parameters" if first in other._parameters else "_buffers"][first] = value
            if first not in module._parameters and first not in module._buffers:
                raise KeyError(name)
    for name, values in inner.items():
        other._modules[name] = with_tensors(module.get_submodule(name), values)
    return other
