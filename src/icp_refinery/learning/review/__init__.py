"""Whether what was learned still holds, cycle after cycle."""
