"""A real API over real data, loaded through Dagster: `make demo`, `make ui`, `make serve`."""
