"""Dagster assets from connector specs."""
