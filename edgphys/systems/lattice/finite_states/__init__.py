# SPDX-License-Identifier: MIT
"""Systems whose sites have one of finitely many states each."""
