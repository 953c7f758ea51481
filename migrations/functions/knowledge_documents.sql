-- Words of documents and the counts that follow them, imports, and questions that are asked often.

-- A text as words are told apart in it, the same for a document and for a question: invisible marks, Arabic vowel signs
-- and stretched letters taken away, hyphens and digits of all scripts as ASCII has them, one form of each letter (NFKC).
-- What stands above the line goes first: of 19¹ NFKC would make 191. Turkish has two letters i, whose capitals differ.
CREATE OR REPLACE FUNCTION knowledge_plain(language text, body text) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF language = 'turkish' THEN
        body := translate(body, 'Iİ', 'ıi');
    END IF;
    IF octet_length(body) = length(body) THEN
        RETURN body;
    END IF;
    body := regexp_replace(body,
        '[\u00ad\u034f\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7\u061c\u0640\u064b-\u065f\u0670\u06d6-\u06dc'
        '\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufe00-\ufe0f\ufeff]', '', 'g');
    body := translate(body,
        E'\u2010\u2011\u00b9\u00b2\u00b3\u2070\u2074\u2075\u2076\u2077\u2078\u2079', '--          ');
    body := translate(normalize(body, NFKC),
        '٠١٢٣٤٥٦٧٨٩۰۱۲۳۴۵۶۷۸۹०१२३४५६७८९০১২৩৪৫৬৭৮৯๐๑๒๓๔๕๖๗๘๙໐໑໒໓໔໕໖໗໘໙၀၁၂၃၄၅၆၇၈၉០១២៣៤៥៦៧៨៩İ',
        '01234567890123456789012345678901234567890123456789012345678901234567890123456789i');
    RETURN body;
END $$;

-- The lexemes of a text. Chinese, Japanese and Korean, Thai, Lao, Burmese and Khmer are written without the spaces that
-- the parser divides by, so their runs are taken as overlapping pairs of characters.
CREATE OR REPLACE FUNCTION knowledge_tsvector(language text, body text) RETURNS tsvector
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    wide text := '[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u3130-\u318f'
                 '\u3400-\u4dbf\u4e00-\u9fff\ua9e0-\ua9ff\uaa60-\uaa7f\uac00-\ud7af\uf900-\ufaff]+';
    pairs text;
BEGIN
    body := knowledge_plain(language, body);
    IF body !~ wide THEN
        RETURN to_tsvector(language::regconfig, body);
    END IF;
    SELECT string_agg(substr(run.found[1], place, 2), ' ') INTO pairs
    FROM regexp_matches(body, wide, 'g') AS run(found),
         generate_series(1, greatest(length(run.found[1]) - 1, 1)) AS place;
    RETURN to_tsvector(language::regconfig, regexp_replace(body, wide, ' ', 'g')) || to_tsvector('simple', pairs);
END $$;

-- Lexemes counted with repetition.
CREATE OR REPLACE FUNCTION knowledge_length(tsv tsvector) RETURNS int
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(sum(cardinality(positions)), 0)::int FROM unnest(tsv)
$$;

-- ------------------------------------------------------------------ counts follow the chunks
-- As triggers, so that a deleted document, a cascade and a purge all keep them. The stats row is touched first:
-- it is the lock that keeps two writers of one company from meeting in different orders of lexemes.
CREATE OR REPLACE FUNCTION knowledge_count() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    sign int := CASE TG_OP WHEN 'INSERT' THEN 1 ELSE -1 END;
BEGIN
    INSERT INTO knowledge_stats AS s (company_id, language, chunks, total_length)
    SELECT company_id, language, sign * count(*), sign * sum(length) FROM changed GROUP BY 1, 2 ORDER BY 1, 2
    ON CONFLICT (company_id, language) DO UPDATE
    SET chunks = s.chunks + EXCLUDED.chunks, total_length = s.total_length + EXCLUDED.total_length;

    INSERT INTO lexemes AS l (company_id, language, lexeme, chunks)
    SELECT company_id, language, word.lexeme, sign * count(*)
    FROM changed, unnest(tsv) AS word GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (company_id, language, lexeme) DO UPDATE SET chunks = l.chunks + EXCLUDED.chunks;

    IF sign < 0 THEN
        DELETE FROM lexemes AS l USING (SELECT DISTINCT company_id, language, word.lexeme
                                        FROM changed, unnest(tsv) AS word) AS gone
        WHERE l.company_id = gone.company_id AND l.language = gone.language AND l.lexeme = gone.lexeme
          AND l.chunks <= 0;
    END IF;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER chunks_added AFTER INSERT ON chunks REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION knowledge_count();
CREATE OR REPLACE TRIGGER chunks_removed AFTER DELETE ON chunks REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION knowledge_count();

-- The number under which a company's results are cached grows.
CREATE OR REPLACE FUNCTION knowledge_changed() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
    INSERT INTO knowledge_versions AS v (company_id)
    SELECT DISTINCT company_id FROM changed ORDER BY 1
    ON CONFLICT (company_id) DO UPDATE SET version = v.version + 1;
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER chunks_came AFTER INSERT ON chunks REFERENCING NEW TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION knowledge_changed();
CREATE OR REPLACE TRIGGER chunks_went AFTER DELETE ON chunks REFERENCING OLD TABLE AS changed
    FOR EACH STATEMENT EXECUTE FUNCTION knowledge_changed();

-- Companies that have documents whose identifiers are not stored, in order. Ids only.
CREATE OR REPLACE FUNCTION unidentified_companies(after_company bigint, lim int) RETURNS SETOF bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    place bigint := after_company;
BEGIN
    FOR n IN 1..lim LOOP
        SELECT d.company_id INTO place FROM documents d
        WHERE d.company_id > place AND d.identified IS DISTINCT FROM d.content_hash
        ORDER BY d.company_id LIMIT 1;
        EXIT WHEN place IS NULL;
        RETURN NEXT place;
    END LOOP;
END $$;

-- ------------------------------------------------------------------ imports
-- The import that is due next, of the first company between these two that has one; due again when the lease is over.
CREATE OR REPLACE FUNCTION claim_import(after_company bigint, before_company bigint, lease_s double precision)
RETURNS TABLE (company_id bigint, import_id bigint, version int, attempts int)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp
SET plan_cache_mode = force_custom_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH due AS (
        SELECT i.company_id, i.id FROM imports i
        WHERE i.company_id > after_company AND i.company_id < before_company
          AND i.state = 'queued' AND i.due_at <= clock_timestamp()
        ORDER BY i.company_id, i.due_at LIMIT 1 FOR UPDATE SKIP LOCKED)
    UPDATE imports i SET attempts = i.attempts + 1, due_at = clock_timestamp() + make_interval(secs => lease_s)
    FROM due WHERE i.company_id = due.company_id AND i.id = due.id
    RETURNING i.company_id, i.id, i.version, i.attempts;
END $$;

-- As many as a process has room for, and of each company no more than its share. held: the company of each import that
-- the process is at. An empty round from the first company on ends it.
CREATE OR REPLACE FUNCTION claim_imports(after_company bigint, lim int, lease_s double precision, held bigint[],
                                         company_max int)
RETURNS TABLE (company_id bigint, import_id bigint, version int, attempts int)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    place bigint := after_company;
    at_share bigint[] := switchboard_at_share(held, company_max);
    border bigint;
    whole boolean := after_company = 0;
    found_any boolean := false;
BEGIN
    WHILE lim > 0 LOOP
        border := 9223372036854775807;
        IF at_share <> '{}' THEN
            SELECT coalesce(min(f), border) INTO border FROM unnest(at_share) f WHERE f > place;
        END IF;
        SELECT c.company_id, c.import_id, c.version, c.attempts INTO company_id, import_id, version, attempts
        FROM claim_import(place, border, lease_s) c;
        IF FOUND THEN
            RETURN NEXT;
            found_any := true;
            place := company_id;
            lim := lim - 1;
            held := held || company_id;
            IF cardinality(array_positions(held, company_id)) >= company_max THEN
                at_share := at_share || company_id;
            END IF;
        ELSIF border < 9223372036854775807 THEN
            place := border;
        ELSIF whole AND NOT found_any THEN
            RETURN;
        ELSE
            place := 0;
            whole := true;
            found_any := false;
        END IF;
    END LOOP;
END $$;

-- ------------------------------------------------------------------ what is asked often
-- Which messages ask what is asked most often, of all companies. Ids and counts only: the words are read within the
-- company that they belong to.
CREATE OR REPLACE FUNCTION popular_commonest(lim int) RETURNS TABLE (company_id bigint, message_id bigint, asked int)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
    SELECT q.company_id, q.message_id, q.asked
    FROM (
        SELECT p.company_id, p.message_id, p.asked
        FROM popular_questions p
        JOIN messages m ON m.company_id = p.company_id AND m.id = p.message_id
        WHERE m.text <> ''
        ORDER BY p.asked DESC, p.company_id, p.message_id
        LIMIT lim) q
    ORDER BY q.company_id, q.asked
$$;

-- ------------------------------------------------------------------ who may call what
REVOKE ALL ON FUNCTION knowledge_plain, knowledge_tsvector, knowledge_length, knowledge_count, knowledge_changed, claim_import,
    claim_imports, popular_commonest, unidentified_companies FROM PUBLIC, switchboard_app;
GRANT EXECUTE ON FUNCTION knowledge_plain, knowledge_tsvector, knowledge_length, claim_imports, popular_commonest, unidentified_companies
    TO switchboard_app;
