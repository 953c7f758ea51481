ALTER TABLE conversations DROP COLUMN day_answers_until;
