-- Keys are made under new rules: a slash parts a code as a hyphen does, and short words in capitals begin one (ET 5003/1).
-- The job knowledge.find_identifiers makes those of all documents again, a few at a time; until a company's are done,
-- nothing is said not to be listed.
UPDATE documents SET identified = NULL WHERE identified IS NOT NULL;
