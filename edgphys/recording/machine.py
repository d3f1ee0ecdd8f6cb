# SPDX-License-Identifier: MIT
"""What computes: versions of packages, processor, threads, GPU; no names of hosts or users."""

from __future__ import annotations

import functools
import platform
import sys
from importlib import metadata
from typing import Any

from edgphys._threads import cpu_count

__all__ = ["hardware", "package_versions", "versions"]

_PACKAGES = ("edgphys", "torch", "numpy", "scipy", "numba", "netket", "xarray")


@functools.cache
def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def package_versions() -> dict[str, str]:
    """Versions of the packages that results depend on; "not installed" for a source tree without metadata."""
    return {package: _version(package) for package in _PACKAGES}


def versions() -> dict[str, str]:
    """Versions of the packages and of Python; of edgphys that of its source tree, where that is all there is.

    Examples
    --------
    >>> {"edgphys", "torch", "numpy", "numba", "python"} <= versions().keys()
    True
    """
    import edgphys

    found = {**package_versions(), "python": platform.python_version()}
    return found | {"edgphys": edgphys.__version__}


def hardware() -> dict[str, Any]:
    """Name of the processor, CPUs that this process may use, the GPU of torch if one is in use.

    Examples
    --------
    >>> hardware()["n_cpus"] >= 1
    True
    """
    found: dict[str, Any] = {"processor": _processor(), "n_cpus": cpu_count()}
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        found["gpu"] = torch.cuda.get_device_name()
    return found


@functools.cache
def _processor() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            named = (line.partition(":")[2].strip() for line in file if line.startswith("model name"))
            name = next(named, "")
    except OSError:  # Linux only
        name = ""
    return name or platform.processor() or platform.machine()
