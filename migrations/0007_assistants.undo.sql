-- The texts that hold for every language go back to where they were; those of one language, and policies, are lost.
UPDATE companies c
SET language = a.language,
    handover_text = coalesce(a.texts -> 'failed' ->> '*', 'Something went wrong here and I could not answer. '
        'I have told a colleague, who will reply here.'),
    notice_text = coalesce(a.texts -> 'notice' ->> '*', 'I can only read text so far. '
        'Could you describe in words what you need?'),
    overload_text = coalesce(a.texts -> 'overload' ->> '*', 'Sorry, so many people are writing to us just now that '
        'I cannot answer in time. A colleague will reply here.'),
    texts = coalesce(
        (SELECT jsonb_object_agg(CASE own.key WHEN 'paused' THEN 'stop' ELSE own.key END, own.value -> '*')
         FROM jsonb_each(a.texts) own
         WHERE own.value ? '*'
           AND own.key NOT IN ('failed', 'notice', 'overload')),
        '{}'
    )
FROM assistants a
WHERE a.company_id = c.id
  AND a.is_default
  AND a.kind = 'support';

DROP FUNCTION IF EXISTS companies_assistant CASCADE;
DROP FUNCTION IF EXISTS channels_assistant CASCADE;
ALTER TABLE channels DROP COLUMN assistant_id;
DROP TABLE assistants;
