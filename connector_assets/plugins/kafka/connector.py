"""The connector `kafka`, as connections name it."""

from __future__ import annotations

from connector_assets.plugins.define import define_connector
from connector_assets.plugins.kafka.assets import assets
from connector_assets.plugins.kafka.check import check
from connector_assets.plugins.kafka.config import KafkaConfig
from connector_assets.plugins.kafka.lag import probe
from connector_assets.plugins.kafka.read import read
from connector_assets.plugins.kafka.streams import discover, names_none, streams

connector = define_connector(
    id="kafka",
    display_name="Apache Kafka",
    category="streaming",
    description="Topics of an Apache Kafka cluster, or of one that speaks its protocol.",
    docs_url="https://kafka.apache.org/documentation/",
    config_schema=KafkaConfig,
    streams=streams,
    discover=discover,
    discovers=names_none,
    read=read,
    test_connection=check,
    probe=probe,
    assets=assets,
)
