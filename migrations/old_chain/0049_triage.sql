-- A conversation that a person should look at, while the bot goes on answering.
ALTER TABLE conversations
    ADD COLUMN attention text CHECK (attention <> ''),   -- why, as a static word; null: nothing waits for a person
    ADD COLUMN attention_since timestamptz,
    ADD COLUMN bot_step text,                            -- the step of the bot's last reply, null since a person spoke
    ADD COLUMN bot_step_at timestamptz,
    ADD COLUMN misses int NOT NULL DEFAULT 0,            -- replies in a row that said that nothing is known
    ADD CONSTRAINT conversations_attention_since CHECK ((attention IS NULL) = (attention_since IS NULL));
CREATE INDEX conversations_attention ON conversations (company_id, attention_since) WHERE attention IS NOT NULL;

-- Texts by name where the company has words of its own; the others are the built-in ones in the customer's language.
ALTER TABLE companies ADD COLUMN texts jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(texts) = 'object');
-- Whoever chose words for "nothing is known" keeps them: until now they were the handover text.
UPDATE companies SET texts = jsonb_build_object('unknown', handover_text)
WHERE handover_text <> 'I could not find a reliable answer to that, so I have asked a colleague to take over. They will reply here.';
ALTER TABLE companies ALTER COLUMN handover_text
    SET DEFAULT 'Something went wrong here and I could not answer. I have told a colleague, who will reply here.';
UPDATE companies SET handover_text = DEFAULT
WHERE handover_text = 'I could not find a reliable answer to that, so I have asked a colleague to take over. They will reply here.';

-- no_reply: the customer's words want no answer ("ok", a thumb), and none was sent.
ALTER TABLE turns DROP CONSTRAINT turns_state_check;
ALTER TABLE turns ADD CONSTRAINT turns_state_check
    CHECK (state IN ('waiting', 'answering', 'answered', 'handed_over', 'cancelled', 'no_reply')) NOT VALID;
ALTER TABLE turns VALIDATE CONSTRAINT turns_state_check;
ALTER TABLE receipts ALTER COLUMN message_id DROP NOT NULL; -- of a turn that wanted no reply

-- How many conversations wait for a person, and since when the longest; up to lim, as either role.
CREATE FUNCTION operations_attention(lim int)
    RETURNS TABLE (reason text, conversations bigint, oldest_s double precision)
    LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = public, pg_temp
AS $$
    SELECT attention, count(*), extract(epoch FROM now() - min(attention_since))::double precision
    FROM (SELECT attention, attention_since FROM conversations WHERE attention IS NOT NULL LIMIT lim) waiting
    GROUP BY attention
$$;
REVOKE ALL ON FUNCTION operations_attention FROM PUBLIC;
GRANT EXECUTE ON FUNCTION operations_attention TO switchboard_app;
