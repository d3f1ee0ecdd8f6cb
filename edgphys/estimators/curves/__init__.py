# SPDX-License-Identifier: MIT
"""Curves over a coupling from weighted draws at some of its values."""
