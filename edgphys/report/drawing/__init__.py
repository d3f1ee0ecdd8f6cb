# SPDX-License-Identifier: MIT
"""Pictures of datasets: one drawer for each kind, by `edgphys.report.drawing.registry`."""
