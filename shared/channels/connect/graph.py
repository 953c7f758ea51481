"""Connecting Messenger pages, Instagram accounts and WhatsApp numbers: Meta's Graph API.

https://developers.facebook.com/docs/graph-api/reference/app/subscriptions (the app's webhook, with the app's own
token) and …/page/subscribed_apps, …/whatsapp-business-account/subscribed_apps (which pages and accounts it hears).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from shared.channels.connect.base import ConnectRefused, Identity, Question, Registration, call
from shared.channels.meta.graph import GRAPH_VERSION as VERSION
from shared.model import Me

SOON_S = 14 * 86_400
"""A token that ends within two weeks is worth a word."""

_APP_ID = Question("app_id", "The app's id", "App Dashboard, top of the page", of="app")
_APP_SECRET = Question(
    "app_secret", "The app's secret", "App Dashboard → App settings → Basic", of="app", secret=True
)  # fmt: skip


class _Graph:
    """What the three have in common."""

    makes_secret = False
    handshakes = True
    object = ""
    fields = ""
    title = ""

    def __init__(self, api_url: str) -> None:
        self._base = f"{api_url.rstrip('/')}/{VERSION}"

    def new_secret(self) -> None:
        """The platform has one."""

    def secret_of(self, answers: Mapping[str, str]) -> str | None:
        return answers.get("app_secret")

    async def _ask(self, http: httpx.AsyncClient, method: str, path: str, token: str, **params: str) -> dict[str, Any]:
        _, answer = await call(http, method, f"{self._base}/{path}", who="Meta's Graph API", token=token, params=params)
        error = answer.get("error")
        if isinstance(error, dict):
            raise ConnectRefused(f"Meta: {str(error.get('message', 'refused'))[:300]}")
        if not answer:
            raise ConnectRefused("Meta gave no readable answer: check GRAPH_API_URL")
        return answer

    async def _token_notes(
        self, http: httpx.AsyncClient, answers: Mapping[str, str], needed: tuple[str, ...]
    ) -> tuple[str, ...]:
        """What Meta says about the token itself: whose app it is of, when it ends, which rights are missing."""
        if not answers.get("app_secret"):
            return ()
        app_token = f"{answers['app_id']}|{answers['app_secret']}"
        found = (await self._ask(http, "GET", "debug_token", app_token, input_token=answers["token"])).get("data")
        data = found if isinstance(found, dict) else {}
        if data.get("is_valid") is False:
            raise ConnectRefused("Meta: the token is not valid (any more): make a new one")
        if data.get("app_id") not in (None, answers["app_id"]):
            raise ConnectRefused(f"the token belongs to the app {data['app_id']}, not to {answers['app_id']}")
        notes = []
        ends_s = data.get("expires_at")
        if isinstance(ends_s, int) and ends_s:
            left_s = ends_s - datetime.now(UTC).timestamp()
            when = datetime.fromtimestamp(ends_s, UTC).strftime("%Y-%m-%d %H:%M UTC")
            if left_s < SOON_S:
                notes.append(f"the token ends on {when}: make one that does not (a system user's)")
        scopes = data.get("scopes")
        if isinstance(scopes, list):
            missing = [scope for scope in needed if scope not in scopes]
            if missing:
                notes.append(f"the token lacks {', '.join(missing)}")
        return tuple(notes)

    async def _subscribe_app(self, http: httpx.AsyncClient, registration: Registration) -> list[str]:
        """Set the app's callback address; Meta asks it for the verify token at once."""
        answers = registration.answers
        if not answers.get("app_id") or not registration.verify_token:
            return []
        app_token = f"{answers['app_id']}|{registration.secret}"
        await self._ask(
            http, "POST", f"{answers['app_id']}/subscriptions", app_token, object=self.object,
            callback_url=registration.address, verify_token=registration.verify_token, fields=self.fields,
        )  # fmt: skip
        return [f"Meta now posts the app's {self.object} events to {registration.address}"]

    def steps(self, registration: Registration) -> list[str]:
        return [
            f"App Dashboard → Webhooks → {self.object}: callback URL {registration.address}",
            f"verify token (shown once): {registration.verify_token}",
            f"subscribe to: {self.fields.replace(',', ', ')}",
        ]


class MessengerConnector(_Graph):
    platform = "messenger"
    title = "a Facebook page"
    object = "page"
    fields = (
        "messages,messaging_postbacks,message_echoes,message_edits,message_deliveries,message_reads,"
        "message_reactions,messaging_referrals,messaging_optins,messaging_handovers,standby"
    )
    needed = ("pages_messaging", "pages_manage_metadata")
    questions = (
        _APP_ID, _APP_SECRET,
        Question("token", "The page's access token", "Messenger → Settings → Access tokens, or a system user's",
                 secret=True),
    )  # fmt: skip

    async def identify(self, http: httpx.AsyncClient, answers: Mapping[str, str]) -> Identity:
        notes = await self._token_notes(http, answers, self.needed)
        page = await self._ask(http, "GET", "me", answers["token"], fields="id,name")
        me = Me(str(page.get("id")), None, answers.get("app_id"))
        return Identity(me, {"token": answers["token"]}, str(page.get("name", "")), notes)

    async def register(self, http: httpx.AsyncClient, registration: Registration) -> list[str]:
        done = await self._subscribe_app(http, registration)
        page, token = registration.identity.me.external_id, registration.identity.credentials["token"]
        await self._ask(http, "POST", f"{page}/subscribed_apps", token, subscribed_fields=self.fields)
        return [*done, f"the page {page} is heard by the app"]


class InstagramConnector(_Graph):
    platform = "instagram"
    title = "an Instagram professional account (linked to a page)"
    object = "instagram"
    fields = "messages,messaging_postbacks,messaging_seen,message_reactions,messaging_referral,message_edit,standby"
    needed = ("instagram_manage_messages", "pages_manage_metadata")
    questions = (
        _APP_ID, _APP_SECRET,
        Question("token", "The linked page's access token", "a system user's, with instagram_manage_messages",
                 secret=True),
    )  # fmt: skip

    async def identify(self, http: httpx.AsyncClient, answers: Mapping[str, str]) -> Identity:
        notes = await self._token_notes(http, answers, self.needed)
        page = await self._ask(
            http, "GET", "me", answers["token"], fields="id,name,instagram_business_account{id,username}"
        )
        account = page.get("instagram_business_account")
        if not isinstance(account, dict) or not account.get("id"):
            raise ConnectRefused(
                f"no Instagram professional account is linked to the page {page.get('name', page.get('id'))}: "
                "link it in the page's settings"
            )
        me = Me(str(account["id"]), account.get("username"), answers.get("app_id"))
        credentials = {"token": answers["token"], "page_id": str(page.get("id"))}
        return Identity(me, credentials, f"@{me.handle}", notes)

    async def register(self, http: httpx.AsyncClient, registration: Registration) -> list[str]:
        done = await self._subscribe_app(http, registration)
        credentials = registration.identity.credentials
        # an account is heard through its page: https://developers.facebook.com/docs/messenger-platform/instagram
        await self._ask(
            http, "POST", f"{credentials['page_id']}/subscribed_apps", credentials["token"],
            subscribed_fields="feed",
        )  # fmt: skip
        return [*done, f"the account {registration.identity.me.external_id} is heard by the app"]


class WhatsAppConnector(_Graph):
    platform = "whatsapp"
    title = "a WhatsApp number (Cloud API)"
    object = "whatsapp_business_account"
    fields = (
        "messages,smb_message_echoes,user_id_update,account_update,account_alerts,account_review_update,security,"
        "phone_number_quality_update,phone_number_name_update,message_template_status_update"
    )
    needed = ("whatsapp_business_messaging", "whatsapp_business_management")
    questions = (
        _APP_ID, _APP_SECRET,
        Question("phone_number_id", "The number's id (not the number)", "WhatsApp → API Setup"),
        Question("account_id", "The WhatsApp Business account's id", "WhatsApp → API Setup"),
        Question("token", "The access token", "a system user's, with whatsapp_business_messaging", secret=True),
    )  # fmt: skip

    async def identify(self, http: httpx.AsyncClient, answers: Mapping[str, str]) -> Identity:
        notes = await self._token_notes(http, answers, self.needed)
        number = await self._ask(
            http, "GET", answers["phone_number_id"], answers["token"],
            fields="id,display_phone_number,verified_name,quality_rating",
        )  # fmt: skip
        if number.get("quality_rating") == "RED":
            notes = (*notes, "the number's quality rating is RED: Meta may soon let it send less")
        me = Me(str(number.get("id")), str(number.get("display_phone_number", "")) or None, answers.get("app_id"))
        credentials = {"token": answers["token"], "account_id": answers["account_id"]}
        return Identity(me, credentials, f"{number.get('verified_name', '')} {me.handle or ''}".strip(), notes)

    async def register(self, http: httpx.AsyncClient, registration: Registration) -> list[str]:
        done = await self._subscribe_app(http, registration)
        credentials = registration.identity.credentials
        await self._ask(http, "POST", f"{credentials['account_id']}/subscribed_apps", credentials["token"])
        return [*done, f"the account {credentials['account_id']} is heard by the app"]
