# SPDX-License-Identifier: MIT
"""Options as frozen dataclasses: how a field says what it is for, and the options that every decoder has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from edgphys._checks import count, sizes
from edgphys._sizes import at_most, check_memory

__all__ = ["ModelOptions", "option", "set_fields"]


def option(default: Any, help: str) -> Any:
    """A field of a dataclass of options, with one line of help."""
    return field(default=default, metadata={"help": help})


def set_fields(options: Any, **values: Any) -> None:
    """Put checked values into a frozen dataclass, from its ``__post_init__``."""
    for name, value in values.items():
        object.__setattr__(options, name, value)


@dataclass(frozen=True, kw_only=True)
class ModelOptions:
    """Options that every decoder has; a family adds its own in a subclass.

    Attributes
    ----------
    n_path_steps : int
        K of the path whose bound is trained and whose weights are the default.
    decoder_size, encoder_size : tuple of int
        Channels (width) and blocks (depth) of the two networks.
    conditions : dict of str to (float, float), or None
        Ranges of the couplings that one model is for, see `edgphys.edg.core.conditions`; None for those of
        the system alone.

    Raises
    ------
    ArgumentTypeError, ArgumentValueError
        If a value is not one of those allowed.
    """

    n_path_steps: int = option(8, "steps of the path whose bound is trained")
    decoder_size: tuple[int, int] = option((16, 3), "width and depth of the decoder's network")
    encoder_size: tuple[int, int] = option((16, 3), "width and depth of the encoder's network")
    conditions: Mapping[str, tuple[float, float]] | None = option(None, "ranges of couplings for one model")

    def __post_init__(self) -> None:
        at_most(self.n_path_steps, "n_path_steps")
        names, axes = ("decoder_size", "encoder_size"), ("channels", "blocks")
        checked = {name: sizes(getattr(self, name), name, axes) for name in names}
        for name, size in checked.items():
            # Weights, gradients, two moments of Adam and the average, in float32.
            check_memory(20.0 * self._n_weights(name, size), name, f"networks of size {size}")
        set_fields(self, n_path_steps=count(self.n_path_steps, "n_path_steps", 1), **checked)

    def _n_weights(self, name: str, size: tuple[int, ...]) -> float:
        """Weights of the networks of that size, at least."""
        width, depth = size
        return float(width) ** 2 * depth

    @property
    def has_flow(self) -> bool:
        """Whether the encoder is a diffusion, so that its probability flow can give weights."""
        return True

    @property
    def is_eased(self) -> bool:
        """Whether training sees other parameters than the system has."""
        return False

    def as_dict(self) -> dict[str, Any]:
        """Options by name, JSON types but for tuples, without those that do not apply."""
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in values.items() if value is not None}
