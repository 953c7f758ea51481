"""`./switchboard openapi`: the description of the HTTP API, for programs that make clients and tests of it."""

from __future__ import annotations

import click

from gateway.api.described import as_json


@click.command()
def openapi() -> None:
    """Print the description of the HTTP API as OpenAPI 3.1 (JSON); a gateway has the same at /api/v1/openapi.json."""
    click.echo(as_json())
