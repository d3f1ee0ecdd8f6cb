# SPDX-License-Identifier: MIT
"""Systems of identical particles: mean-free coordinates, pair laws."""
