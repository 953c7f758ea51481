-- The keys that were found since are made again under the rules of before.
UPDATE documents SET identified = NULL WHERE identified IS NOT NULL;
