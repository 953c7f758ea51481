-- The bot and a machine that answers it must come to an end: answers in one conversation have a pace.
ALTER TABLE conversations
    ADD COLUMN answers_until timestamptz,  -- each answer of the bot's moves it on; how far it is ahead says how many came fast
    ADD COLUMN silent_until timestamptz;   -- the bot gives no answer until then, because too many came too fast
