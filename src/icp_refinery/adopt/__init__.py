"""Adoption as code: the agreed segments as readable CSV files, and the proof that they partition all accounts."""

from icp_refinery.adopt.adopting import adopt, read_learned
from icp_refinery.adopt.files import Adopted, AdoptionError, read_adopted, write_adopted
from icp_refinery.adopt.partition import partition_problem
from icp_refinery.adopt.problems import adopted_problems, rule_problems

__all__ = [
    "Adopted",
    "AdoptionError",
    "adopt",
    "adopted_problems",
    "partition_problem",
    "read_adopted",
    "read_learned",
    "rule_problems",
    "write_adopted",
]
