"""dbt-spark in this process, with Python models beside it: the type `icpspark` of a target in profiles.yml."""

from pathlib import Path

from dbt.adapters.base import AdapterPlugin

from dbt.adapters.icpspark.connections import IcpSparkCredentials
from dbt.adapters.icpspark.impl import IcpSparkAdapter

Plugin = AdapterPlugin(
    adapter=IcpSparkAdapter,
    credentials=IcpSparkCredentials,
    include_path=str(Path(__file__).parent / "include"),
    dependencies=["spark"],
    project_name="dbt_icpspark",
)
