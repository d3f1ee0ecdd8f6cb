# SPDX-License-Identifier: MIT
"""Labelled datasets: files, merging, schema."""

from edgphys.dataset.files import KINDS, SCHEMA_VERSION, merge, read, validate, write

__all__ = ["KINDS", "SCHEMA_VERSION", "merge", "read", "validate", "write"]
