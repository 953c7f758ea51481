-- Two machines that answer each other slower than once a minute never stop by the pace of minutes: the same for a day.
ALTER TABLE conversations ADD COLUMN day_answers_until timestamptz;  -- as answers_until, of a slower pace
