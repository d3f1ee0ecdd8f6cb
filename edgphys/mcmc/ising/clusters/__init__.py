# SPDX-License-Identifier: MIT
"""Cluster updates of the Ising model: Wolff, Swendsen-Wang, improved estimators."""
