# SPDX-License-Identifier: MIT
"""Estimates from independent weighted draws, and the tail of their weights."""
