"""Folders of a CRM's own exports: recognised by their headers, and described in a mapping.yml that the build reads."""
