-- What people name (companies, agents, collections) has one rule for all, which shared/names.py tells in words:
-- trimmed, 1 to 100 characters, something to see, no control characters and nothing that reverses the text's direction;
-- unique without regard to case.
--
-- Constraints and unique indexes use these functions: a change of what one returns needs a numbered migration that
-- rebuilds the indexes.

-- Two names with the same key are the same name: Unicode's NFKC, letters folded, invisible characters left out, inner
-- white space as one space. The collation is named where the server has one that folds all letters alike everywhere.
DO $do$
DECLARE
    folds text := coalesce(
        (SELECT ' COLLATE ' || quote_ident(collname) FROM pg_collation
         WHERE collname IN ('pg_c_utf8', 'und-x-icu') ORDER BY collname LIMIT 1), '');
BEGIN
    EXECUTE format($sql$
        CREATE OR REPLACE FUNCTION name_key(name text) RETURNS text
        LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $fn$
            SELECT btrim(regexp_replace(replace(replace(lower(normalize(regexp_replace(name,
                '[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800'
                '\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]', '', 'g'), NFKC)%s),
                'ß', 'ss'), 'ς', 'σ'), '[\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+', ' ', 'g'))
        $fn$ $sql$, folds);
END $do$;

-- Length, edges and characters; whether there is something to see is told by the key.
CREATE OR REPLACE FUNCTION name_is_plain(name text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT char_length(name) BETWEEN 1 AND 100
        AND name !~ '[\u0001-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]'
        AND name !~ '^[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]|[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]$'
$$;

-- ------------------------------------------------------------------ who may call what
REVOKE ALL ON FUNCTION name_key, name_is_plain FROM PUBLIC, switchboard_app;
GRANT EXECUTE ON FUNCTION name_key, name_is_plain TO switchboard_app;
