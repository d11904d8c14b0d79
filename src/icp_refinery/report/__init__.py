"""The report: one HTML file that says whom to sell to, how sure that is, and what it is worth."""

from icp_refinery.report.page import render

__all__ = ["render"]
