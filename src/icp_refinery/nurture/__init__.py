"""A nurture plan per prioritized segment: what the marts know, for a person and for the workflow that is made of it."""

from icp_refinery.nurture.holdout import participants_needed, weeks_to_tell
from icp_refinery.nurture.page import as_html
from icp_refinery.nurture.plan import emails_of, plans
from icp_refinery.nurture.playbook import as_markdown, as_yaml, write

__all__ = ["as_html", "as_markdown", "as_yaml", "emails_of", "participants_needed", "plans", "weeks_to_tell", "write"]
