"""An account of Snowflake, as both the plugin and the destination reach it."""
