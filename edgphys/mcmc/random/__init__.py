# SPDX-License-Identifier: MIT
"""Random numbers inside the kernels."""
