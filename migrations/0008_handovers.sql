-- Why and since when a conversation is not the bot's, and that it comes back.
--
-- paused: the customer has silenced the bot. closed: an agent is done with it; the customer's next message opens it.
-- Conversations that were handed over before this migration have no bot_off_at and do not come back by themselves:
-- nobody was told that they would.

ALTER TABLE conversations
    ADD COLUMN bot_off_reason text CHECK (bot_off_reason <> ''),  -- as a static word; null while the bot answers
    ADD COLUMN bot_off_at     timestamptz,
    ADD COLUMN return_untold  boolean NOT NULL DEFAULT false;  -- the bot came back, and its next reply says so

ALTER TABLE conversations DROP CONSTRAINT conversations_status_check;
ALTER TABLE conversations ADD CONSTRAINT conversations_status_check
    CHECK (status IN ('open', 'handed_over', 'paused', 'closed'));

-- Few at a time: what may come back is looked for here.
CREATE INDEX conversations_handed_over ON conversations (company_id, last_message_at)
    WHERE status = 'handed_over' AND bot_off_at IS NOT NULL;

-- What an answer did to its conversation: hands_over, pauses or resumes; null: nothing.
ALTER TABLE receipts ADD COLUMN bot text CHECK (bot <> '');
