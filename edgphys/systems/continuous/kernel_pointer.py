# SPDX-License-Identifier: MIT
"""The energy of a continuous system as an argument of a compiled loop.

Passed as a numba function it would have the whole loop compiled again for each system; passed as an address
of one fixed signature the loop is compiled once, and kept on disk. The price is a few nanoseconds per call.
"""

from __future__ import annotations

import weakref
from typing import Any

from numba import cfunc, types

__all__ = ["KernelPointer"]

# By kernel: the rungs of a ladder share one.
_COMPILED = weakref.WeakKeyDictionary()
_SIGNATURE = types.float64(types.float64[::1], types.float64[::1], types.float64[::1])


class KernelPointer(types.WrapperAddressProtocol):
    """Address of a kernel ``(x, gradient_out, parameters) -> energy``, see `edgphys.systems.continuous.base`.

    Parameters
    ----------
    kernel : numba dispatcher
        It is compiled here, for contiguous float64 arrays.

    Raises
    ------
    TypeError
        If it does not compile for these.
    """

    def __init__(self, kernel) -> None:
        self._compiled: Any = _COMPILED.get(kernel)
        if self._compiled is not None:
            return
        # Code on disk only for our own files: a user's function may live in a notebook.
        ours = kernel.py_func.__module__.startswith("edgphys.") and not kernel.py_func.__closure__
        try:
            self._compiled = cfunc(_SIGNATURE, cache=ours, error_model="numpy")(kernel.py_func)
            _COMPILED[kernel] = self._compiled
        except Exception as error:
            first = (str(error).splitlines() or [""])[0]
            raise TypeError(
                "kernel must compile as (x, gradient_out, parameters) -> float of float64 arrays: "
                f"{type(error).__name__}: {first}"
            ) from error

    def __wrapper_address__(self) -> int:
        return self._compiled.address

    def signature(self):
        return _SIGNATURE
