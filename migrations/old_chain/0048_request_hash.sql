-- Of an agent's request with an Idempotency-Key: the hash of its body, by which the same key with another body is told.
ALTER TABLE messages ADD COLUMN request_hash bytea;
