# SPDX-License-Identifier: MIT
"""The bound and the encoder in the form of the EDG paper, arXiv:2401.02080."""
