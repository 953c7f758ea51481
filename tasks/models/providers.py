"""Adding, changing, trying and removing model providers: what is right is stored, what is wrong is told in words."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import httpx

from shared.errors import NotFound, NothingDone, Permanent, SettingsError, Transient
from shared.llm import trial
from shared.llm.api import http_client
from shared.llm.trial import Trial
from shared.resilience.addresses import is_local
from shared.resilience.egress import Egress, EgressRefused, origin_of
from shared.resilience.loop import Loop
from shared.settings import Settings
from shared.store.db.pool import Conn
from shared.store.db.vault import Vault
from shared.store.models import providers, routes
from shared.store.models.providers import KINDS, MODELS_MAX, Kind, Model, NewProvider, Provider, State

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
BASE_URL_CHARS, MODEL_CHARS, KEY_CHARS = 500, 200, 4_000
HINT_CHARS, HINT_FROM_CHARS = 4, 12
"""The last characters of a key are shown, of one that is long enough to stay secret."""


def model_of(text: str) -> Model:
    """Read `NAME` or `NAME:KIND`. Raises Permanent for what is no model."""
    name, _, kind = text.strip().rpartition(":")
    for known in KINDS:
        if kind == known and name:
            return checked_model(name, known)
    return checked_model(text, "chat")


def checked_model(name: str, kind: Kind) -> Model:
    """Raises Permanent for what is no model's name."""
    name = name.strip()
    if not (0 < len(name) <= MODEL_CHARS and name.isprintable()):
        raise Permanent("model", f"a model's name has 1 to {MODEL_CHARS} printable characters; this is none: {name!r}")
    return Model(name, kind)


def checked_models(models: Sequence[Model]) -> tuple[Model, ...]:
    """Raises Permanent for too many, or for one name twice."""
    names = [one.name for one in models]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise Permanent("model", f"{twice[0]!r} is named twice: a model has one kind")
    if len(models) > MODELS_MAX:
        raise Permanent("model", f"a provider has at most {MODELS_MAX} models here: name those that are used")
    return tuple(models)


def checked_name(config: Settings, name: str) -> str:
    """Raises Permanent for what is no name of a provider, or is what the environment's variables are known by."""
    if not NAME.fullmatch(name):
        raise Permanent("name", f"{name!r} should have up to 40 small letters, digits, - and _, such as openai-eu")
    if name in {one.label for one in config.llm.providers}:
        raise Permanent("name", f"{name!r} is what the provider of LLM_BASE_URL is known by: choose another name")
    return name


def checked_url(base_url: str) -> str:
    """Return the address without a slash at its end. Raises Permanent for what is no web address with /v1, or holds a
    password."""
    url = base_url.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        port, host = parts.port, parts.hostname or ""
    except ValueError:
        raise Permanent("base_url", "the base URL is no web address: write it as https://host/v1") from None
    if parts.scheme not in ("http", "https") or not host or port == 0 or not url.isascii() or " " in url:
        raise Permanent("base_url", "the base URL should begin with https:// or http:// and a host: https://host/v1")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise Permanent("base_url", "the base URL holds a password, a query or a fragment: give the key as a key")
    if len(url) > BASE_URL_CHARS:
        raise Permanent("base_url", f"the base URL is longer than {BASE_URL_CHARS} characters")
    return url


def _check_secrecy(base_url: str, has_key: bool) -> None:
    """Raises Permanent for a key that would leave our network in the clear."""
    parts = urlsplit(base_url)
    if has_key and parts.scheme == "http" and not is_local(parts.hostname or ""):
        raise Permanent(
            "base_url", "the key would go through the network in the clear: write the address with https://"
        )


def sealed_key(vault: Vault, api_key: str) -> tuple[bytes | None, str]:
    """(the key sealed, its last characters); nothing of an empty one. Raises Permanent for what no header can carry."""
    key = api_key.strip()
    if not key:
        return None, ""
    if not (key.isascii() and key.isprintable()) or len(key) > KEY_CHARS:
        raise Permanent("api_key", "the key holds characters that no HTTP header can carry, or is too long for one")
    return vault.seal({"api_key": key}), key[-HINT_CHARS:] if len(key) >= HINT_FROM_CHARS else ""


async def check_reachable(config: Settings, company_id: int | None, base_url: str) -> None:
    """Refuse a company's provider whose address lies inside our own network. The installation's may be anywhere.

    Raises Permanent. A name that has no address just now is let through: a trial call tells."""
    if company_id is None:
        return
    egress = Egress(config.egress.openings)
    try:
        await egress.check(base_url, "model")
    except EgressRefused as e:
        raise Permanent(
            "base_url", f"a company's provider cannot be there: {e} (EGRESS_ALLOW opens model:host:port)"
        ) from None
    except Transient:
        pass  # no address, or no answer of the resolver
    finally:
        await egress.aclose()


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to change; None: as it is. api_key: empty, it goes. models: all of them; add, drop: some."""

    base_url: str | None = None
    api_key: str | None = None
    models: Sequence[Model] | None = None
    add: Sequence[Model] = ()
    drop: Sequence[str] = ()
    paid: bool | None = None
    state: State | None = None

    def __repr__(self) -> str:
        return "Wanted(…)"  # it may hold a key


def new(
    config: Settings, vault: Vault, company_id: int | None, name: str, base_url: str, models: Sequence[Model], *,
    api_key: str = "", paid: bool | None = None,
) -> NewProvider:  # fmt: skip
    """Read what is to be added. Raises Permanent, which says what to change."""
    url = checked_url(base_url)
    sealed, hint = sealed_key(vault, api_key)
    _check_secrecy(url, sealed is not None)
    paid = not is_local(urlsplit(url).hostname or "") if paid is None else paid
    return NewProvider(company_id, checked_name(config, name), url, sealed, hint, checked_models(models), paid)


def change(conn: Conn, vault: Vault, company_id: int | None, name: str, wanted: Wanted) -> Provider:
    """Change a provider; in a transaction. Returns it as it is now.

    A key does not follow to another server: whoever may change the address and not read the key could read it there.
    Raises Permanent; NotFound; NothingDone if it is as wanted already, or a route asks what would go.
    """
    before = found(conn, company_id, name, lock=True)
    after = _changed(vault, before, wanted)
    if after == before:
        raise NothingDone("model_provider", f"{name} is like this already")
    kept = {one.name for one in after.models}
    for step in (step for step in routes.asked_models(conn, before.id) if step not in kept):
        raise NothingDone("model_provider", f"a route asks {step!r}: change the route first")
    providers.change(conn, after)
    return after


def _changed(vault: Vault, before: Provider, wanted: Wanted) -> Provider:
    after = before
    if wanted.base_url is not None:
        url = checked_url(wanted.base_url)
        moved = origin_of(url) != origin_of(before.base_url)
        if moved and before.sealed is not None and wanted.api_key is None:
            raise Permanent("api_key", "give the key again: it does not follow to another server")
        after = replace(after, base_url=url)
    if wanted.api_key is not None and not _is_same_key(vault, before, wanted.api_key):
        sealed, hint = sealed_key(vault, wanted.api_key)
        after = replace(after, sealed=sealed, key_hint=hint)
    if after.base_url != before.base_url or after.sealed != before.sealed:
        _check_secrecy(after.base_url, after.sealed is not None)
    listed = list(before.models if wanted.models is None else wanted.models)
    if unknown := [one for one in wanted.drop if one not in {each.name for each in listed}]:
        raise Permanent("model", f"it has no model {unknown[0]!r}")
    again = {one.name for one in wanted.add} | set(wanted.drop)
    listed = [one for one in listed if one.name not in again] + list(wanted.add)
    return replace(
        after, models=checked_models(listed), paid=before.paid if wanted.paid is None else wanted.paid,
        state=wanted.state or before.state,
    )  # fmt: skip


def _is_same_key(vault: Vault, before: Provider, api_key: str) -> bool:
    try:
        return opened_key(vault, before) == api_key.strip()
    except SettingsError:
        return False  # the old one is lost, which is why there is a new one


def opened_key(vault: Vault, provider: Provider) -> str:
    """Raises SettingsError where no key of the vault opens it."""
    return "" if provider.sealed is None else vault.open_credentials(provider.sealed).get("api_key", "")


def found(conn: Conn, company_id: int | None, name: str, *, lock: bool = False) -> Provider:
    """Raises NotFound if a company, or without one the installation, has no such provider."""
    provider = providers.own(conn, company_id, name, lock=lock)
    if provider is None:
        raise NotFound("model_provider", f"there is no provider {name!r}; `model-provider list` shows them")
    return provider


def remove(conn: Conn, company_id: int | None, name: str) -> None:
    """Delete a provider; in a transaction. Raises NotFound; NothingDone if a route still asks it."""
    provider = found(conn, company_id, name, lock=True)
    if asking := routes.asking_provider(conn, provider.id):
        shown = ", ".join(purpose if of is None else f"{purpose} of company {of}" for of, purpose in asking[:5])
        raise NothingDone("model_provider", f"routes ask {name}: change these first: {shown}")
    providers.remove(conn, provider.id)


def try_out(config: Settings, vault: Vault, provider: Provider, model: Model) -> Trial:
    """Make one small real call. Not from an event loop. Raises SettingsError where the key cannot be opened."""
    asked = trial.Asked(provider.name, provider.base_url, opened_key(vault, provider), model.name, model.kind)
    loop = Loop("trial")
    loop.start()
    egress = Egress(config.egress.openings)
    http = http_client(1)
    try:
        return trial.try_model(asked, loop, http if provider.company_id is None else egress.client("model"))
    finally:
        loop.run(_closed(egress, http), timeout_s=5)
        loop.stop()


async def _closed(egress: Egress, http: httpx.AsyncClient) -> None:
    await egress.aclose()
    await http.aclose()
