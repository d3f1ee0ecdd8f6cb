# SPDX-License-Identifier: MIT
"""Exact results as far as they can be had: what a quadrature or float64 does not give is a blank with a note.

For whoever shows exact values beside estimates, which must not be lost with them. `exact_results` of a system
raises.
"""

from __future__ import annotations

import math
import warnings

import numpy as np

from edgphys.errors import NotExactError
from edgphys.systems.base import AbstractSystem

__all__ = ["known_exactly"]


def known_exactly(system: AbstractSystem) -> tuple[dict[str, float], str]:
    """Exact results by name, NaN where there is none, and why they cannot be had; "" where they can.

    Examples
    --------
    >>> from edgphys.systems.continuous.mueller_brown import MuellerBrown
    >>> known_exactly(MuellerBrown(temperature=0.01))
    ({}, 'MuellerBrown(temperature=0.01): quadrature did not converge to 1e-10 within 128 panels per axis')
    """
    try:
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            values = system.exact_results()
    except NotExactError as error:
        return {}, f"{system!r}: {error}"
    except (ArithmeticError, ValueError, IndexError, MemoryError) as error:
        return {}, f"{system!r}: its numbers leave float64 or the memory ({type(error).__name__}: {error})"
    if any(math.isinf(value) for value in values.values()):
        return {}, f"{system!r}: its numbers leave float64"
    return values, ""
