-- Ids of chats that a platform moved for good, as a Telegram group does that becomes a supergroup: what still comes
-- under the old id belongs to the conversation of the new one.
CREATE TABLE moved_chats (
    company_id bigint NOT NULL REFERENCES companies,
    channel_id bigint NOT NULL,
    chat       text NOT NULL,
    moved_to   text NOT NULL CHECK (moved_to <> chat),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, channel_id, chat),
    FOREIGN KEY (company_id, channel_id) REFERENCES channels
);
SELECT switchboard_isolate('moved_chats');
