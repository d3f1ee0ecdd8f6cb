# SPDX-License-Identifier: MIT
"""torch's module, with attributes that a type checker takes as they are used."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Self, TypeVar

from torch import nn

__all__ = ["AnyModule", "Module", "twin"]

AnyModule = TypeVar("AnyModule", bound=nn.Module)


class Module(nn.Module):
    """Base of all modules here: what hangs on torch's own is "a tensor or a module" to a type checker."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def twin(self) -> Self:
        """Another of the same weights and parts, whose attributes may be set without touching these."""
        return twin(self)


def twin(module: AnyModule) -> AnyModule:
    """`Module.twin` of any of torch's modules."""
    other = copy.copy(module)
    for name in ("_parameters", "_buffers", "_modules"):
        object.__setattr__(other, name, dict(getattr(module, name)))
    return other
