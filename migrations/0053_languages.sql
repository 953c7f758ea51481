-- What tells the language to answer in where the customer's words do not: ISO 639-1.
ALTER TABLE conversations
    ADD COLUMN language text CHECK (language ~ '^[a-z]{2,3}$');  -- the platform's code of who wrote last
ALTER TABLE companies
    ADD COLUMN language text CHECK (language ~ '^[a-z]{2,3}$');
