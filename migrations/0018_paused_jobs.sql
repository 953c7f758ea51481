-- A job may be paused. An installation's place within the jitters is beat's to know, because it moves the crontabs.
ALTER TABLE jobs ADD COLUMN paused_at timestamptz;  -- since when the timetable does not run it; null: it does
ALTER TABLE jobs DROP COLUMN phase;
