"""What Slack's events mean, whether the bot may answer, and where."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from shared.channels.slack.platform import Slack
from shared.model import Attachment, InboundEvent, Me
from tests.unit import fixtures_slack as slack

SLACK = Slack()


def parse(body: dict[str, Any], me: Me = slack.ME) -> InboundEvent:
    [event] = SLACK.parse(body, me)
    return event


def event_of(event: dict[str, Any], me: Me = slack.ME, **fields: Any) -> InboundEvent:
    return parse(slack.callback(event, **fields), me)


# name → kind, reason, chat
EXPECTED = {
    "direct": ("message", None, "D0ADA"),
    "mention": ("message", None, f"C0BOATS:{slack.TS}"),
    "channel": ("message", "group_without_mention", "C0BOATS"),
    "thread": ("message", None, f"C0BOATS:{slack.THREAD}"),
    "broadcast": ("message", None, f"C0BOATS:{slack.THREAD}"),
    "file": ("message", None, "D0ADA"),
    "blocks": ("message", None, "D0ADA"),
    "own": ("echo", "echo", "D0ADA"),
    "other bot": ("echo", "from_bot", "C0BOATS"),
    "changed": ("edited", "edited", "D0ADA"),
    "deleted": ("deleted", "deleted", "D0ADA"),
    "joined": ("other", "service_message", "C0BOATS"),
    "reaction": ("reaction", "reaction", "D0ADA"),
    "assistant": ("other", "assistant_thread", f"D0ADA:{slack.THREAD}"),
    "home": ("other", "app_home", "D0ADA"),
    "revoked": ("account", "tokens_revoked", None),
    "uninstalled": ("account", "app_uninstalled", None),
    "member": ("account", "membership", "C0BOATS"),
    "limited": ("account", "rate_limited", None),
    "press": ("message", None, f"C0BOATS:{slack.TS}"),
    "command": ("message", None, "C0BOATS"),
}


@pytest.mark.parametrize("name", sorted(slack.LOOK_ALIKES))
def test_an_event_means(name: str) -> None:
    event = parse(slack.LOOK_ALIKES[name])
    assert (event.kind, event.reason, event.chat) == EXPECTED[name]
    assert event.reply == (event.reason is None)
    assert event.account == "T0HARBOUR"


@pytest.mark.parametrize("name", ["direct", "channel", "thread", "file", "press", "command", "reaction", "changed"])
def test_an_event_names_its_customer(name: str) -> None:
    assert parse(slack.LOOK_ALIKES[name]).sender == "U0ADA"


def test_a_mention_that_comes_as_two_events_is_one_message() -> None:
    text = "<@U0BERTH> is berth 4 free?"
    told, mentioned = event_of(slack.in_channel(text=text)), event_of(slack.mention(text=text))
    assert told.dedupe_key == mentioned.dedupe_key
    assert (told.reply, told.chat, told.text) == (mentioned.reply, mentioned.chat, mentioned.text)
    assert told.reply


def test_the_same_time_in_another_channel_is_another_message() -> None:
    assert event_of(slack.message()).dedupe_key != event_of(slack.in_channel()).dedupe_key


def test_a_message_that_does_not_ask_us_has_a_key_of_its_own_which_names_the_other() -> None:
    told, mentioned = event_of(slack.in_channel(text="is berth 4 free?")), event_of(slack.mention())
    assert (told.reply, mentioned.reply) == (False, True)
    assert told.dedupe_key != mentioned.dedupe_key
    assert (told.twin, mentioned.twin) == (mentioned.dedupe_key, told.dedupe_key)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<@U0BERTH> is berth 4 free?", "is berth 4 free?"),
        ("<@U0BERTH|berth>: is berth 4 free?", "is berth 4 free?"),
        ("hello <@U0BERTH>, is berth 4 free?", "hello is berth 4 free?"),
        ("is berth 4 free, <@U0BERTH>", "is berth 4 free,"),
        ("<@U0BERTH> <@U0ADA> asks", "@U0ADA asks"),
        ("<@U0BERTH>\nis berth 4 free?", "\nis berth 4 free?"),
        ("<@U0BERTH>", "@U0BERTH"),
    ],
)
def test_our_own_mention_is_taken_out_of_what_is_said(text: str, said: str) -> None:
    assert event_of(slack.in_channel(text=text)).text == said


def test_our_own_mention_is_taken_out_in_a_shared_channel_too() -> None:
    theirs = {"team_id": "T0THEIRS", "is_ext_shared_channel": True}
    body = slack.callback(slack.mention(text="<@U0SHARED> is berth 4 free?"), **theirs, authorizations=None)
    [event] = SLACK.parse(body, slack.ME)
    assert event.text == "is berth 4 free?"
    both = slack.callback(slack.mention(text="<@U0SHARED> and <@U0ADA>, is berth 4 free?"), **theirs)
    assert SLACK.parse(both, slack.ME)[0].text == "@U0SHARED and @U0ADA, is berth 4 free?"


def test_what_cannot_be_read_is_unsupported_and_answered_where_somebody_writes_directly() -> None:
    odd = {"text": "", "files": [], "blocks": [{"type": "hologram"}]}
    direct, asked = event_of(slack.message(**odd)), event_of(slack.mention(**odd))
    assert (direct.reply, direct.attachments) == (True, (Attachment("unsupported", name="hologram"),))
    assert (asked.reply, asked.reason) == (False, "no_content")
    assert [one.type for one in asked.attachments] == ["unsupported"]
    assert event_of(slack.message(text="", blocks=[7])).attachments == (Attachment("unsupported"),)


def test_very_many_mentions_take_linear_time() -> None:
    assert event_of(slack.mention(text="<@U0BERTH>  " * 20_000 + "free?")).text is not None


def test_a_group_of_people_wants_a_mention() -> None:
    group = {"channel": slack.GROUP, "channel_type": "mpim"}
    assert event_of(slack.message(**group)).reason == "group_without_mention"
    assert event_of(slack.message(**group, text="and you, <@U0BERTH|berth>?")).reply


def test_a_mention_in_blocks_alone_counts() -> None:
    leaves = slack.rich({"type": "user", "user_id": "U0BERTH"}, {"type": "text", "text": " is berth 4 free?"})
    event = event_of(slack.in_channel(text="", blocks=leaves))
    assert (event.reply, event.text) == (True, "is berth 4 free?")


def test_we_are_also_whom_the_event_was_sent_for() -> None:
    assert event_of(slack.in_channel(text="<@U0BERTH> hello"), Me()).reply


def test_a_mention_of_somebody_else_is_none_of_ours() -> None:
    assert event_of(slack.in_channel(text="<@U0BERTHA> <@U0ADA> hello")).reason == "group_without_mention"


@pytest.mark.parametrize(
    "marks",
    [
        {"user": "U0BERTH"},
        {"bot_id": "B0X", "app_id": "A0BERTH"},
        {"bot_id": "B0X", "bot_profile": {"app_id": "A0BERTH"}},
        {"bot_id": "B0X", "subtype": "bot_message", "user": None,
         "metadata": {"event_type": "x", "event_payload": {"ref": "sb.7.8"}}},
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["message", "app_mention"])
def test_what_we_wrote_is_an_echo_however_it_is_marked(marks: dict[str, Any], kind: str) -> None:
    event = event_of(slack.message(type=kind, **marks))
    assert (event.kind, event.reply, event.reason) == ("echo", False, "echo")


@pytest.mark.parametrize(
    "marks",
    [
        {"user": "U0BERTH", "bot_id": "B0X", "app_id": "A0OTHER"},
        {"user": None, "bot_id": "B0X", "subtype": "bot_message", "username": "CI"},
        {"user": "USLACKBOT"},
        {"subtype": "slackbot_response", "user": "USLACKBOT"},
        {"bot_id": "B0X"},
    ],
)
def test_no_bot_is_answered_in_a_direct_message_either(marks: dict[str, Any]) -> None:
    event = event_of(slack.message(**marks))
    assert (event.kind, event.reply, event.reason) == ("echo", False, "from_bot")


def test_a_person_with_the_id_that_the_event_was_sent_for_is_a_person() -> None:
    """Only what bears a bot's mark is a bot's: an installation may be a person's, too."""
    event = event_of(slack.message(user="U0BERTH"), Me("T0HARBOUR"))
    assert (event.kind, event.reply, event.sender) == ("message", True, "U0BERTH")


def test_our_echo_brings_our_name_back() -> None:
    event = parse(slack.LOOK_ALIKES["own"])
    assert (event.ref, event.app, event.sender) == ("sb.1.2", "A0BERTH", "U0BERTH")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"user": None}, "no_sender"),
        ({"channel": None}, "no_chat"),
        ({"subtype": "brand_new"}, "unknown_subtype"),
        ({"subtype": "me_message"}, None),
    ],
)
def test_a_message_that_cannot_be_answered_says_why(fields: dict[str, Any], reason: str | None) -> None:
    assert event_of(slack.message(**fields)).reason == reason


def test_an_edit_names_its_message_and_what_it_says_now() -> None:
    event = parse(slack.LOOK_ALIKES["changed"])
    assert (event.external_id, event.targets, event.text) == (slack.TS, (slack.TS,), "Is berth 5 free?")


def test_a_message_that_slack_changed_is_no_edit() -> None:
    """It shows what a link leads to, or counts replies."""
    changed = slack.EVENTS["changed"] | {"message": slack.message(reply_count=1)}
    assert (event_of(changed).kind, event_of(changed).reason) == ("edited", "unchanged")


def test_two_edits_of_a_message_are_two_events() -> None:
    first = slack.EVENTS["changed"]
    again = first | {"event_ts": "1760000090.000300"}
    assert event_of(first).dedupe_key == event_of(first).dedupe_key != event_of(again).dedupe_key


def test_a_thread_whose_beginning_was_deleted_leaves_a_tombstone() -> None:
    changed = slack.EVENTS["changed"] | {"message": {"subtype": "tombstone", "ts": slack.TS, "user": "USLACKBOT"}}
    event = event_of(changed)
    assert (event.kind, event.targets) == ("deleted", (slack.TS,))


@pytest.mark.parametrize(("kind", "status", "text"), [("added", "added", ":thumbsup:"), ("removed", "removed", None)])
def test_a_reaction_names_its_message(kind: str, status: str, text: str | None) -> None:
    event = event_of(slack.EVENTS["reaction"] | {"type": f"reaction_{kind}"})
    assert (event.status, event.text, event.targets) == (status, text, (slack.TS,))


@pytest.mark.parametrize(
    ("event", "status"),
    [
        (slack.EVENTS["revoked"], "revoked"),
        (slack.EVENTS["uninstalled"], "revoked"),
        ({"type": "tokens_revoked", "tokens": {"oauth": ["U0ADA"], "bot": []}}, "user_tokens_revoked"),
        ({"type": "tokens_revoked", "tokens": None}, "user_tokens_revoked"),
    ],
)
def test_a_revoked_token_matters_where_it_is_our_bots(event: dict[str, Any], status: str) -> None:
    assert event_of(event).status == status


@pytest.mark.parametrize(
    ("fields", "account"),
    [
        ({}, "T0HARBOUR"),
        ({"team_id": "T0GUEST", "is_ext_shared_channel": True}, "T0HARBOUR"),
        ({"team_id": "T0GUEST", "is_ext_shared_channel": None}, "T0HARBOUR"),
        ({"team_id": "T0GUEST", "authorizations": None, "is_ext_shared_channel": True}, "T0GUEST"),
        ({"authorizations": [{"enterprise_id": "E0ALL", "team_id": None, "is_enterprise_install": True}]}, "E0ALL"),
        ({"team_id": None, "authorizations": "none"}, None),
    ],
)
def test_a_workspace_is_the_one_that_installed_us(fields: dict[str, Any], account: str | None) -> None:
    body = slack.callback(slack.message(), **fields)
    assert SLACK.account(body) == account == parse(body).account


def test_a_pressed_button_says_what_stands_on_it() -> None:
    event = parse(slack.PRESS)
    assert (event.text, event.payload, event.reply_to, event.external_id, event.sender_name) == (
        "Book berth 4", "berth-4", slack.TS, "1760000070.000100", "ada",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("action", "text", "payload"),
    [
        ({"selected_option": {"text": {"type": "plain_text", "text": "Berth 5"}, "value": "b5"}}, "Berth 5", "b5"),
        ({"selected_options": [{"text": {"text": "A"}, "value": "1"}, {"text": {"text": "B"}, "value": "2"}]}, "A, B",
         "1, 2"),
        ({"selected_date": "2026-05-01"}, "2026-05-01", "2026-05-01"),
        ({"selected_users": ["U1", "U2"]}, "U1, U2", "U1, U2"),
    ],
)  # fmt: skip
def test_a_choice_from_a_menu_says_what_was_chosen(action: dict[str, Any], text: str, payload: str) -> None:
    event = parse(slack.PRESS | {"actions": [{"action_ts": "1.2", **action}]})
    assert (event.text, event.payload) == (text, payload)


def test_a_button_in_a_view_belongs_to_no_conversation() -> None:
    view = {name: value for name, value in slack.PRESS.items() if name not in ("channel", "container", "message")}
    event = parse({**view, "view": {"type": "home"}})
    assert (event.kind, event.reply, event.reason) == ("message", False, "no_chat")


@pytest.mark.parametrize("kind", ["view_submission", "shortcut", "message_action", "block_suggestion"])
def test_other_interactions_are_counted_and_not_answered(kind: str) -> None:
    event = parse({**slack.PRESS, "type": kind, "actions": None})
    assert (event.kind, event.reason) == ("other", "interaction")


def test_a_slash_command_says_what_stands_after_it() -> None:
    event = parse(slack.COMMAND)
    assert (event.text, event.payload, event.external_id) == ("is 4 free?", "/berth", "13345224609.738474921")


def test_forms_are_read_like_json() -> None:
    assert SLACK.decode(urlencode({"payload": json.dumps(slack.PRESS)}).encode()) == slack.PRESS
    assert SLACK.decode(urlencode(slack.COMMAND).encode()) == slack.COMMAND


@pytest.mark.parametrize("raw", [b"", b"payload=", b"payload=[1]", b"a b=c", b"<html>", b"&".join([b"a=1"] * 200)])
def test_what_is_neither_json_nor_a_form_is_refused(raw: bytes) -> None:
    with pytest.raises(ValueError):
        SLACK.decode(raw)


def test_a_handshake_is_answered_with_its_challenge() -> None:
    assert SLACK.challenge({"type": "url_verification", "challenge": "3eZb", "token": "x"}) == "3eZb"
    assert SLACK.challenge({"type": "event_callback", "challenge": "3eZb"}) is None
    assert SLACK.challenge({"type": "url_verification", "challenge": ["x"]}) is None


# ------------------------------------------------------------------ texts


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"),
        ("<@U0ADA> and <@U0ADA|ada>", "@U0ADA and @ada"),
        ("<#C0BOATS|boats> <#C0BOATS>", "#boats #C0BOATS"),
        ("<!here> <!subteam^S1|@crew> <!subteam^S1>", "@here @crew @S1"),
        ("<!date^1392734382^{date}|18 February>", "18 February"),
        ("see <https://h.example/?a=1&amp;b=2>", "see https://h.example/?a=1&b=2"),
        ("see <https://h.example/x|the list>", "see the list (https://h.example/x)"),
        ("see <http://h.example|h.example>", "see h.example"),
        ("<mailto:ada@h.example|ada@h.example>", "ada@h.example"),
        ("*bold* stays", "*bold* stays"),
        ("1 < 2 > <>", "1 < 2 > <>"),
        ("a\x00b\ud800", "a\ufffdb\ufffd"),
    ],
)
def test_a_text_reads_as_it_was_written(text: str, plain: str) -> None:
    assert event_of(slack.message(text=text)).text == plain


@pytest.mark.parametrize(
    ("blocks", "plain"),
    [
        (slack.rich({"type": "text", "text": "Is "}, {"type": "link", "url": "https://h.example", "text": "it"},
                    {"type": "emoji", "name": "wave", "unicode": "1f44b"}), "Is it (https://h.example)👋"),
        ([{"type": "section", "text": {"type": "mrkdwn", "text": "Is &lt;4&gt; free?"}}], "Is <4> free?"),
        ([{"type": "header", "text": {"type": "plain_text", "text": "Berths &amp;"}},
          {"type": "context", "elements": [{"type": "mrkdwn", "text": "four"}]}], "Berths &amp;\nfour"),
        ([{"type": "rich_text", "elements": [{"type": "rich_text_list", "style": "bullet", "elements": [
            {"type": "rich_text_section", "elements": [{"type": "text", "text": "one"}]},
            {"type": "rich_text_section", "elements": [{"type": "text", "text": "two"}]}]}]}], "- one\n- two"),
    ],
)  # fmt: skip
def test_blocks_speak_where_the_text_is_empty(blocks: Any, plain: str) -> None:
    assert event_of(slack.message(text="", blocks=blocks)).text == plain


def test_an_attached_text_speaks_where_nothing_else_does() -> None:
    shared = [{"fallback": "Ada: hello", "pretext": "From Ada", "text": "hello &amp; welcome"}]
    assert event_of(slack.message(text="", attachments=shared)).text == "From Ada\nhello & welcome"


def test_a_file_that_is_gone_cannot_be_read() -> None:
    files = [{"id": "F1", "mode": "tombstone"}, {"id": "F2", "mode": "hidden_by_limit"}, slack.FILE, "F3"]
    event = event_of(slack.message(text="", files=files))
    assert [(a.type, a.id) for a in event.attachments] == [
        ("unsupported", "F1"), ("unsupported", "F2"), ("image", "F0MAP"),
    ]  # fmt: skip


# ------------------------------------------------------------------ values


@pytest.mark.parametrize(("kind", "status"), [("member_joined_channel", "joined"), ("member_left_channel", "left")])
def test_who_comes_and_who_goes_is_told_apart(kind: str, status: str) -> None:
    found = event_of({"type": kind, "user": "U0ADA", "channel": "C0BOATS"})
    assert (found.kind, found.reason, found.status, found.chat) == ("other", "membership", status, "C0BOATS")


@pytest.mark.parametrize(
    ("file", "kind", "name"),
    [
        ({"mimetype": "image/png", "name": "a.png", "title": "A"}, "image", "a.png"),
        ({"mimetype": "text/plain", "title": "Notes"}, "file", "Notes"),
        ({"title": "x" * 300}, "file", "x" * 255),
        ({"mode": "tombstone", "mimetype": "image/png"}, "unsupported", None),
        ({"mode": "hidden_by_limit"}, "unsupported", None),
    ],
)
def test_a_file_has_its_kind_and_its_name_or_else_its_title(file: dict[str, Any], kind: str, name: str | None) -> None:
    [found] = event_of(slack.message(files=[file])).attachments
    assert (found.type, found.name) == (kind, name)


@pytest.mark.parametrize(("size", "size_bytes"), [(0, 0), (7, 7), (2**63 - 1, 2**63 - 1), (2**63, None), (-1, None)])
def test_a_file_s_size_is_kept_where_it_can_be_one(size: int, size_bytes: int | None) -> None:
    [found] = event_of(slack.message(files=[{"size": size}])).attachments
    assert found.size_bytes == size_bytes
