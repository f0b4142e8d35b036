"""Dagster's side: assets, resources, schedules, a component. The only room that imports Dagster."""
