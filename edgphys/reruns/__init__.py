# SPDX-License-Identifier: MIT
"""Datasets computed once more from their own records, and compared."""
