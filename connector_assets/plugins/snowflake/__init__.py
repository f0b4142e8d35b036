"""The connector `snowflake`: tables, views and queries of a Snowflake account become streams."""
