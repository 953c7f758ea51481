-- Slack tells each emoji of a person's by itself, Telegram all of them at once: where a platform does the first, each is
-- a row of its own.
ALTER TABLE message_reactions ADD COLUMN name text NOT NULL DEFAULT '';  -- which of several; '' where the row is all
ALTER TABLE message_reactions DROP CONSTRAINT message_reactions_pkey;
ALTER TABLE message_reactions ADD PRIMARY KEY (company_id, channel_id, target, chat, sender, name);
