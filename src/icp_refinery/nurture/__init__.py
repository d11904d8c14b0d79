"""A nurture plan per prioritized segment: what the marts know, for a person who makes a workflow of it."""

from icp_refinery.nurture.page import as_html
from icp_refinery.nurture.plan import as_yaml, participants_needed, plans, write

__all__ = ["as_html", "as_yaml", "participants_needed", "plans", "write"]
