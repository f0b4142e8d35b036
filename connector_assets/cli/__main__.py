"""`python -m connector_assets.cli`: the same as the command `connector-assets`."""

from connector_assets.cli.app import main

main()
