# SPDX-License-Identifier: MIT
"""torch's module, with attributes that a type checker takes as they are used."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any, Self

from torch import nn

__all__ = ["Module"]


class Module(nn.Module):
    """Base of all modules here: what hangs on torch's own is "a tensor or a module" to a type checker."""

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...

    def twin(self) -> Self:
        """Another of the same weights and parts, whose attributes may be set without touching these."""
        other = copy.copy(self)
        for name in ("_parameters", "_buffers", "_modules"):
            object.__setattr__(other, name, dict(getattr(self, name)))
        return other
