"""What dbt makes in each process before it works, made before any is forked: the schemas that settings are checked by."""

from dbt.adapters.duckdb.credentials import DuckDBCredentials
from dbt.artifacts.resources.v1.config import Hook
from dbt.contracts.project import Configuration, PackageConfig, ProfileConfig, Project, ProjectFlags
from dbt.contracts.selection import SelectorFile

for contract in (Configuration, DuckDBCredentials, Hook, PackageConfig, ProfileConfig, Project, ProjectFlags, SelectorFile):
    contract.json_schema()
