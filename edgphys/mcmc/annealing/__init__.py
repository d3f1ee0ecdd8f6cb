# SPDX-License-Identifier: MIT
"""Annealed importance sampling: batches of configurations moved along a ladder of systems, with weights."""
