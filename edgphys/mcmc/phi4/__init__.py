# SPDX-License-Identifier: MIT
"""Markov chains of the phi^4 field."""
