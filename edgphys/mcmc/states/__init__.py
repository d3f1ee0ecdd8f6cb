# SPDX-License-Identifier: MIT
"""Markov chains of systems with finitely many states per site."""
