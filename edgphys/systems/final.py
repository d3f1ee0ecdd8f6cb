# SPDX-License-Identifier: MIT
"""Final systems stay what their constructor made them: no subclass, no attribute changed afterwards.

Energy, compiled kernels, exact results and laws of sites of a class belong together. Who replaced one of them
would get chains of the old energy under the new one's name, without a word.
"""

from __future__ import annotations

import inspect
from typing import Any

from edgphys.errors import ArgumentTypeError

__all__ = ["Final"]


class Final:
    """Base of classes of which those marked with `typing.final` are final indeed."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Refuse a class that derives from a final one.

        Raises
        ------
        ArgumentTypeError
            Names the abstract class to derive from.
        """
        super().__init_subclass__(**options)
        final = next((one for one in cls.__mro__[1:] if "__final__" in vars(one)), None)
        if final is not None:
            # Not a class that only some of those that ship have in common.
            base = next(one for one in final.__mro__ if "geometry" in vars(one))
            words = f"{final.__name__} is final: an energy of one's own must derive from {base.__name__}"
            raise ArgumentTypeError(f"{words} of edgphys.systems, got class {cls.__name__}")

    def __setattr__(self, name: str, value: Any) -> None:
        """Set what is not there yet.

        Raises
        ------
        AttributeError
            For a function of a final class, and for what its constructor has set.
        """
        kind = type(self)
        if "__final__" in vars(kind):
            if name in vars(self) and not name.startswith("_"):
                raise AttributeError(f"{name} of {kind.__name__} is fixed; replace gives a changed copy")
            if inspect.isroutine(inspect.getattr_static(kind, name, None)):
                raise AttributeError(f"{name} of {kind.__name__} is fixed; derive a class of one's own")
        super().__setattr__(name, value)
