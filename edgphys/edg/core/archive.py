# SPDX-License-Identifier: MIT
"""Archives of torch, written whole: tensors and plain values, as ``torch.load`` reads them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from edgphys._files import write_whole

__all__ = ["write_archive"]


def write_archive(path: Path, content: Any, overwrite: bool = True) -> None:
    """Write an archive all or nothing, see `edgphys._files.write_whole`.

    Raises
    ------
    FileTakenError, DatasetError
        As `write_whole`.
    """
    # Through memory: on a full disk torch itself gives no reason, Python does.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_whole(path, lambda temporary: temporary.write_bytes(buffer.getbuffer()), overwrite)
