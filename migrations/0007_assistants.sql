-- Assistants: how a company's turns are answered. Channels are bound to one; policies and texts stand on it.
--
-- A company's own texts move here from `companies`. The columns there stay for this version, because processes of the
-- version before read them until they are stopped; nothing reads or writes them any more.

CREATE TABLE assistants (
    company_id     bigint NOT NULL REFERENCES companies,
    id             bigint GENERATED ALWAYS AS IDENTITY,
    kind           text NOT NULL DEFAULT 'support' CHECK (kind ~ '^[a-z][a-z_]{0,40}$'),
    is_default     boolean NOT NULL DEFAULT false,  -- what new channels are bound to
    name           text NOT NULL DEFAULT 'Assistant',  -- what customers may call it by
    language       text CHECK (language ~ '^[a-z]{2,3}$'),  -- where the customer's words do not tell theirs: ISO 639-1
    -- {name: {language: text}}, '*' for every language that has none of its own; the others are built in.
    texts          jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(texts) = 'object'),
    -- Where nothing relevant is known: offer a person, hand over at once, or hand over after so many misses in a row.
    on_miss        text NOT NULL DEFAULT 'offer' CHECK (on_miss IN ('offer', 'at_once', 'after_misses')),
    misses_max     int NOT NULL DEFAULT 3 CHECK (misses_max BETWEEN 1 AND 20),
    -- Where a person is wished for: hand over at once, or tell people and let the bot go on.
    on_wish        text NOT NULL DEFAULT 'hand_over' CHECK (on_wish IN ('hand_over', 'tell')),
    -- After a handover the bot answers again once nobody has written for so long; null: never by itself.
    return_after_s int DEFAULT 43200 CHECK (return_after_s BETWEEN 60 AND 2592000),
    -- When the team is there, as "Mon-Fri 09:00-17:00, Sat 10:00-14:00"; empty: at all times.
    hours          text NOT NULL DEFAULT '' CHECK (char_length(hours) <= 500),
    time_zone      text NOT NULL DEFAULT 'UTC',
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, id),
    CONSTRAINT assistants_name CHECK (name_is_plain(name) AND name_key(name) <> '')
);
CREATE UNIQUE INDEX assistants_name_once ON assistants (company_id, name_key(name));
CREATE UNIQUE INDEX assistants_one_default ON assistants (company_id, kind) WHERE is_default;
SELECT switchboard_isolate('assistants');
-- Whoever works for a company changes how it answers; making one is the operator's.
REVOKE INSERT, DELETE ON assistants FROM switchboard_app;

INSERT INTO assistants (company_id, is_default, language, texts)
SELECT c.id, true, c.language,
    coalesce(
        (SELECT jsonb_object_agg(
             CASE own.key WHEN 'stop' THEN 'paused' ELSE own.key END, jsonb_build_object('*', own.value)
         )
         FROM jsonb_each_text(
             c.texts || jsonb_strip_nulls(jsonb_build_object(
                 'failed', CASE WHEN c.handover_text <> 'Something went wrong here and I could not answer. '
                     'I have told a colleague, who will reply here.' THEN c.handover_text END,
                 'notice', CASE WHEN c.notice_text <> 'I can only read text so far. '
                     'Could you describe in words what you need?' THEN c.notice_text END,
                 'overload', CASE WHEN c.overload_text <> 'Sorry, so many people are writing to us just now that '
                     'I cannot answer in time. A colleague will reply here.' THEN c.overload_text END
             ))
         ) own),
        '{}'
    )
FROM companies c;

DO $$
DECLARE
    moved bigint;
BEGIN
    SELECT count(*) INTO moved FROM assistants WHERE texts <> '{}';
    IF moved > 0 THEN
        RAISE WARNING 'the texts of % companies stand on their assistants now: assistant texts', moved;
    END IF;
END $$;

ALTER TABLE channels ADD COLUMN assistant_id bigint;
UPDATE channels h
SET assistant_id = a.id
FROM assistants a
WHERE a.company_id = h.company_id
  AND a.is_default;
ALTER TABLE channels ALTER COLUMN assistant_id SET NOT NULL;
ALTER TABLE channels ADD CONSTRAINT channels_assistant FOREIGN KEY (company_id, assistant_id) REFERENCES assistants;
