-- That the customer has silenced the bot is a fact of its own: it outlasts a person who takes the conversation over,
-- hands it back or closes it, and the bot's return. Only the customer ends it.
ALTER TABLE conversations ADD COLUMN paused_at timestamptz;  -- since when; null: the customer has not
UPDATE conversations
SET paused_at = coalesce(bot_off_at, now())
WHERE status = 'paused';
