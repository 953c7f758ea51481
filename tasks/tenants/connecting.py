"""Connects channels, checks their credentials, and registers their webhooks again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import httpx

from shared.channels.connect.base import Connector, Identity, Question, Registration
from shared.errors import Permanent
from shared.model import Me
from shared.store.db.pool import Conn
from shared.store.db.vault import Vault
from shared.store.tenants import channels, registry
from shared.store.tenants.channels import AppRow
from tasks.tenants import onboarding, rotation


@dataclass(frozen=True, slots=True)
class Made:
    """A connected channel. new_app: its application was not known before, so the webhook is to be set up."""

    connected: onboarding.Connected
    registration: Registration
    new_app: bool


def still_to_ask(connector: Connector, app: AppRow | None, answers: Mapping[str, str]) -> list[Question]:
    """Questions without an answer. What belongs to an application that is connected already is known."""
    known = known_of_app(connector, app, None)
    return [q for q in connector.questions if q.name not in answers and not (q.of == "app" and app and q.name in known)]


def known_of_app(connector: Connector, app: AppRow | None, secret: str | None) -> dict[str, str]:
    """Answers to the application's own questions. secret: its newest, where it may be opened."""
    if app is None:
        return {}
    values = {q.name: secret or "" if q.secret else app.external_id or "" for q in connector.questions if q.of == "app"}
    return {name: value for name, value in values.items() if value or name != "app_id"}


async def identify(
    connector: Connector, http: httpx.AsyncClient, vault: Vault, app: AppRow | None, answers: Mapping[str, str]
) -> tuple[Identity, dict[str, str]]:
    """Ask the platform which account this is; returns that and all answers. Raises what the connector raises."""
    secret = rotation.secrets_of(vault, app)[0] if app is not None else None
    known = {**known_of_app(connector, app, secret), **answers}
    return await connector.identify(http, known), known


def connect(
    conn: Conn,
    vault: Vault,
    connector: Connector,
    *,
    company_id: int,
    slug: str,
    identity: Identity,
    answers: Mapping[str, str],
    address: str,
) -> Made:
    """Store what was identified. An application that is known keeps its secrets and verify token, unless the platform
    has given it another secret. Raises ValueError when slug or account belong to somebody else."""
    app = channels.app_by_slug(conn, connector.platform, slug)
    _refuse_other_application(app, identity)
    secrets = _secrets_in_force(conn, vault, app, identity)
    given = connector.secret_of(answers)
    if given and given not in secrets and app is not None and channels.shared_with_others(conn, app.id, company_id):
        raise ValueError(
            f"the secret is not that of {slug!r}, under which other companies are connected, too: if the platform has "
            f"changed it, ./switchboard app rotate-secret {slug}; nothing was changed"
        )
    if given and given not in secrets:
        secrets = [given, *secrets][: rotation.SECRETS_KEPT]
    elif not secrets:
        secrets = [connector.new_secret() or onboarding.new_secret()]
    verify_token = str(vault.open(app.verify_token)) if app is not None and app.verify_token else None
    if verify_token is None and connector.handshakes:
        verify_token = onboarding.new_secret()
    connected = onboarding.connect_account(
        conn, vault, platform=connector.platform, company_id=company_id, slug=slug, webhook_secrets=secrets,
        credentials=identity.credentials, me=identity.me, verify_token=verify_token,
    )  # fmt: skip
    registration = Registration(address, secrets[0], identity, verify_token, answers)
    return Made(connected, registration, app is None)


def _refuse_other_application(app: AppRow | None, identity: Identity) -> None:
    """Refuse a slug that belongs to another application's account: our echoes would be taken for a stranger's. Raises
    ValueError."""
    theirs = identity.me.app
    if app is not None and app.external_id and theirs and theirs != app.external_id:
        raise ValueError(
            f"the slug {app.slug!r} stands for the application {app.external_id}, and these credentials are of "
            f"{theirs}: choose another --slug; nothing was changed"
        )


def _secrets_in_force(conn: Conn, vault: Vault, app: AppRow | None, identity: Identity) -> list[str]:
    """Return the application's secrets; none if its one channel was another account, whose platform still uses them."""
    if app is None:
        return []
    if app.platform in channels.ONE_CHANNEL:
        before = registry.channels(conn, slug=app.slug)
        if before and all(line.external_id != identity.me.external_id for line in before):
            return []
    return rotation.secrets_of(vault, app)


def registration_of(conn: Conn, vault: Vault, connector: Connector, app: AppRow, address: str) -> list[Registration]:
    """Return what registering the webhook again needs, for each of the application's channels that work."""
    secret = rotation.secrets_of(vault, app)[0]
    token = str(vault.open(app.verify_token)) if app.verify_token else None
    known = known_of_app(connector, app, secret)
    found = []
    for line in registry.channels(conn, slug=app.slug):
        credentials = vault.open_credentials(channels.credentials(conn, line.company_id, line.id))
        identity = Identity(Me(line.external_id, line.handle, app.external_id), credentials)
        found.append(Registration(address, secret, identity, token, {**known, **credentials}))
    return found


@dataclass(frozen=True, slots=True)
class Checked:
    """What the platform says about a channel now. problems: why it does not work; notes: what is worth knowing."""

    name: str
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


async def check(
    connector: Connector, http: httpx.AsyncClient, vault: Vault, app: AppRow, line: registry.ChannelLine, sealed: bytes
) -> Checked:
    """Ask the platform with the stored credentials. Raises PlatformSilent, SettingsError."""
    credentials = vault.open_credentials(sealed)
    # whatever names the account in a question is its id here
    own = {q.name: line.external_id for q in connector.questions if q.of == "channel" and q.name not in credentials}
    try:
        identity, _ = await identify(connector, http, vault, app, {**own, **credentials})
    except Permanent as e:
        return Checked(line.external_id, (str(e),))
    problems = []
    if identity.me.external_id != line.external_id:
        problems.append(f"the credentials are those of {identity.me.external_id}, not of {line.external_id}")
    return Checked(identity.name or line.external_id, tuple(problems), identity.notes)
