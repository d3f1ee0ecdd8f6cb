# SPDX-License-Identifier: MIT
"""Parallel tempering: ladders, swaps, spacing."""
