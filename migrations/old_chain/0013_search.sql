-- Search as one function: candidates by words and by meaning, each scored by both, inside one company and one filter.

ALTER TABLE documents
    ADD COLUMN kind     text NOT NULL DEFAULT 'text' CHECK (kind IN ('text', 'transcript')),
    ADD COLUMN category text CHECK (category <> ''),
    ADD COLUMN dated_at timestamptz;                    -- when it was said or written
CREATE INDEX documents_by_date ON documents (company_id, dated_at) WHERE dated_at IS NOT NULL;
CREATE INDEX documents_by_category ON documents (company_id, category) WHERE category IS NOT NULL;

-- Who speaks in a chunk of a transcript; found without regard to case.
CREATE TABLE chunk_speakers (
    company_id bigint NOT NULL REFERENCES companies,
    chunk_id   bigint NOT NULL,
    speaker    text NOT NULL CHECK (speaker <> ''),
    PRIMARY KEY (company_id, chunk_id, speaker),
    FOREIGN KEY (company_id, chunk_id) REFERENCES chunks ON DELETE CASCADE
);
CREATE INDEX chunk_speakers_by_name ON chunk_speakers (company_id, lower(speaker), chunk_id);
SELECT switchboard_isolate('chunk_speakers');
REVOKE UPDATE ON chunk_speakers FROM switchboard_app;

-- ------------------------------------------------------------------ filters
-- wanted: {"documents": [id…], "collections": [id…], "categories": […], "speakers": […], "since": time, "until": time},
-- each part optional; what stands in several must hold in all. until is not included.
-- Raises insufficient_privilege for documents and collections that the company has not.
CREATE FUNCTION knowledge_check_filter(company bigint, wanted jsonb) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public AS $$
DECLARE
    unknown text;
BEGIN
    SELECT string_agg(key, ', ') INTO unknown FROM jsonb_object_keys(wanted) AS key
    WHERE key NOT IN ('documents', 'collections', 'categories', 'speakers', 'since', 'until');
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'a filter knows nothing of %', unknown USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF EXISTS (SELECT 1 FROM jsonb_array_elements_text(wanted -> 'documents') AS asked(id)
               WHERE NOT EXISTS (SELECT 1 FROM documents d WHERE d.company_id = company AND d.id = asked.id::bigint))
    OR EXISTS (SELECT 1 FROM jsonb_array_elements_text(wanted -> 'collections') AS asked(id)
               WHERE NOT EXISTS (SELECT 1 FROM collections c WHERE c.company_id = company AND c.id = asked.id::bigint))
    THEN
        RAISE EXCEPTION 'the filter names documents or collections that company % has not', company
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    PERFORM (wanted ->> 'since')::timestamptz, (wanted ->> 'until')::timestamptz;
END $$;

-- The documents that a filter leaves; NULL where it leaves all.
CREATE FUNCTION knowledge_documents(company bigint, wanted jsonb) RETURNS bigint[]
LANGUAGE sql STABLE SET search_path = pg_catalog, public AS $$
    SELECT CASE WHEN wanted ?| ARRAY['documents', 'collections', 'categories', 'since', 'until'] THEN ARRAY(
        SELECT d.id FROM documents d
        WHERE d.company_id = company
          AND (NOT wanted ? 'documents' OR d.id = ANY (ARRAY(
                SELECT jsonb_array_elements_text(wanted -> 'documents')::bigint)))
          AND (NOT wanted ? 'collections' OR d.collection_id = ANY (ARRAY(
                SELECT jsonb_array_elements_text(wanted -> 'collections')::bigint)))
          AND (NOT wanted ? 'categories' OR d.category = ANY (ARRAY(
                SELECT jsonb_array_elements_text(wanted -> 'categories'))))
          AND (NOT wanted ? 'since' OR d.dated_at >= (wanted ->> 'since')::timestamptz)
          AND (NOT wanted ? 'until' OR d.dated_at < (wanted ->> 'until')::timestamptz)) END
$$;

-- Whether a filter leaves a document.
CREATE FUNCTION knowledge_visible(company bigint, document bigint, wanted jsonb) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, public AS $$
    SELECT wanted IS NULL OR coalesce(document = ANY (knowledge_documents(company, wanted)),
                                      knowledge_documents(company, wanted) IS NULL)
$$;

CREATE FUNCTION knowledge_speakers(wanted jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, public AS $$
    SELECT CASE WHEN wanted ? 'speakers' THEN ARRAY(SELECT lower(jsonb_array_elements_text(wanted -> 'speakers'))) END
$$;

-- What one conversation's questions are answered from.
CREATE TABLE chat_filters (
    company_id      bigint NOT NULL REFERENCES companies,
    conversation_id bigint NOT NULL,
    wanted          jsonb NOT NULL CHECK (jsonb_typeof(wanted) = 'object'),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, conversation_id),
    FOREIGN KEY (company_id, conversation_id) REFERENCES conversations ON DELETE CASCADE
);
SELECT switchboard_isolate('chat_filters');

CREATE FUNCTION chat_filter_checked() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, public AS $$
BEGIN
    PERFORM knowledge_check_filter(NEW.company_id, NEW.wanted);
    RETURN NEW;
END $$;
CREATE TRIGGER chat_filter_checked BEFORE INSERT OR UPDATE ON chat_filters
    FOR EACH ROW EXECUTE FUNCTION chat_filter_checked();

-- What is deleted leaves the filters that named it. A list that becomes empty stays: then nothing is found, and not
-- everything.
CREATE FUNCTION chat_filters_forget() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public AS $$
BEGIN
    UPDATE chat_filters f SET wanted = jsonb_set(f.wanted, ARRAY[TG_ARGV[0]], (
        SELECT coalesce(jsonb_agg(id), '[]') FROM jsonb_array_elements(f.wanted -> TG_ARGV[0]) AS id
        WHERE id <> to_jsonb(OLD.id)))
    WHERE f.company_id = OLD.company_id AND f.wanted -> TG_ARGV[0] @> to_jsonb(OLD.id);
    RETURN NULL;
END $$;
CREATE TRIGGER document_leaves_filters AFTER DELETE ON documents
    FOR EACH ROW EXECUTE FUNCTION chat_filters_forget('documents');
CREATE TRIGGER collection_leaves_filters AFTER DELETE ON collections
    FOR EACH ROW EXECUTE FUNCTION chat_filters_forget('collections');

-- ------------------------------------------------------------------ words
DROP FUNCTION knowledge_search, knowledge_words;

-- The words of a question and of what was said before it, in each language that the company has documents in, with
-- what each tells: the rarer, the more. A word that no chunk has tells most of all, so that a question about something
-- else looks like one. weights: what each text's words count; a word of several texts counts as in the weightiest.
CREATE FUNCTION knowledge_words(company bigint, texts text[], weights double precision[])
RETURNS TABLE (language text, lexeme text, weight double precision, asked boolean, chunks int, idf double precision,
               mean_length double precision)
LANGUAGE sql STABLE SET search_path = pg_catalog, public AS $$
    SELECT s.language, word.lexeme, word.weight, word.asked, df.chunks,
           ln(1 + (s.chunks - df.chunks + 0.5) / (df.chunks + 0.5)),
           greatest(s.total_length::double precision / s.chunks, 1)
    FROM knowledge_stats s
    CROSS JOIN LATERAL (
        SELECT found.lexeme, max(weights[part.place]) AS weight, bool_or(part.place = 1) AS asked
        FROM unnest(texts) WITH ORDINALITY AS part(text, place)
        CROSS JOIN LATERAL unnest(tsvector_to_array(knowledge_tsvector(s.language, left(part.text, 4096)))) AS found(lexeme)
        WHERE weights[part.place] > 0 GROUP BY found.lexeme) AS word
    -- One index look-up a word, whatever the planner believes of a table that was never analysed.
    CROSS JOIN LATERAL (SELECT coalesce((
        SELECT l.chunks FROM lexemes l
        WHERE l.company_id = s.company_id AND l.language = s.language AND l.lexeme = word.lexeme), 0)) AS df(chunks)
    WHERE s.company_id = company AND s.chunks > 0
$$;

-- The candidates: chunks that share the question's words, those that share the question's and the conversation's.
-- The rarest words choose them, as many as fit a budget of postings, because those are what a search costs; where
-- even the rarest is too common another one has to stand beside it. words: as knowledge_words() gives them, an array
-- for each column.
CREATE FUNCTION knowledge_by_words(company bigint, languages text[], lexemes text[], tells double precision[],
                                   asked boolean[], counts int[], documents bigint[], speakers text[], lim int)
RETURNS bigint[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    budget int := 2500;
    part record;
    chosen bigint[] := '{}';
BEGIN
    IF (SELECT sum(d.chunk_count) <= 5000 FROM documents d WHERE d.company_id = company AND d.id = ANY (documents)) THEN
        budget := 2000000000;  -- how common a word is elsewhere costs nothing here
    END IF;
    FOR part IN
        WITH words AS MATERIALIZED (
            SELECT w.language, w.tells, w.chunks, w.asked,
                   '''' || replace(replace(w.lexeme, '\', '\\'), '''', '''''') || '''' AS quoted
            FROM unnest(languages, lexemes, tells, asked, counts) AS w (language, lexeme, tells, asked, chunks)
            WHERE w.chunks > 0),
        several AS (SELECT EXISTS (SELECT 1 FROM words w WHERE NOT w.asked) AS history),
        placed AS (
            SELECT w.language, w.quoted, round.asked_only,
                   row_number() OVER rarest AS place, sum(w.chunks) OVER rarest AS postings
            FROM several,
                 unnest(CASE WHEN several.history THEN ARRAY[true, false] ELSE ARRAY[true] END) AS round(asked_only),
                 words w
            WHERE w.asked OR NOT round.asked_only
            WINDOW rarest AS (PARTITION BY w.language, round.asked_only ORDER BY w.tells DESC, w.quoted))
        SELECT p.language,
               CASE WHEN min(p.postings) > budget AND count(*) > 1
                    THEN format('%s & (%s)', string_agg(p.quoted, '') FILTER (WHERE p.place = 1),
                                string_agg(p.quoted, '|') FILTER (WHERE p.place BETWEEN 2 AND 12))
                    ELSE string_agg(p.quoted, '|') FILTER (WHERE p.place = 1 OR p.postings <= budget) END::tsquery AS query
        FROM placed p WHERE p.place <= 48
        GROUP BY p.language, p.asked_only
    LOOP
        chosen := chosen || ARRAY(
            SELECT c.id FROM chunks c
            WHERE c.company_id = company AND c.language = part.language AND c.tsv @@ part.query
              AND (documents IS NULL OR c.document_id = ANY (documents))
              AND (speakers IS NULL OR EXISTS (
                    SELECT 1 FROM chunk_speakers s
                    WHERE s.company_id = company AND s.chunk_id = c.id AND lower(s.speaker) = ANY (speakers)))
            ORDER BY ts_rank(c.tsv, part.query, 1) DESC, c.id LIMIT lim);
    END LOOP;
    RETURN chosen;
END $$;

-- ------------------------------------------------------------------ meaning
-- How much of what is nearest the index finds, company by company, as last measured; ef_search: how far it looks since.
CREATE TABLE recall_audits (
    company_id  bigint PRIMARY KEY REFERENCES companies,
    ef_search   int NOT NULL DEFAULT 100 CHECK (ef_search BETWEEN 100 AND 1000),
    recall      double precision NOT NULL CHECK (recall BETWEEN 0 AND 1),
    questions   int NOT NULL,
    measured_at timestamptz NOT NULL DEFAULT now()
);
SELECT switchboard_isolate('recall_audits');

-- The company's chunks nearest to a question: as many as were asked for, or all that have vectors. Exact up to 20,000
-- chunks that come into question (at 38,000 it took 32 ms), beyond that by HNSW. exact: never by
-- the index.
CREATE FUNCTION knowledge_by_meaning(company bigint, space bigint, question halfvec, documents bigint[], speakers text[],
                                     lim int, exact boolean DEFAULT false) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, public SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    near bigint[];
    there bigint;
BEGIN
    IF documents IS NULL THEN
        SELECT coalesce(sum(s.chunks), 0) INTO there FROM knowledge_stats s WHERE s.company_id = company;
    ELSE
        SELECT coalesce(sum(d.chunk_count), 0) INTO there FROM documents d
        WHERE d.company_id = company AND d.id = ANY (documents);
    END IF;
    IF there > 20000 AND NOT exact THEN
        PERFORM set_config('hnsw.iterative_scan', 'relaxed_order', true), set_config('hnsw.ef_search', coalesce((
            SELECT a.ef_search FROM recall_audits a WHERE a.company_id = company), 100)::text, true);
        -- Literals: the index is of one space, and one partition holds the company.
        EXECUTE format(
            'SELECT array_agg(n.chunk_id) FROM (SELECT e.chunk_id FROM embeddings e'
            ' WHERE e.company_id = %1$s AND e.space_id = %2$s'
            || CASE WHEN documents IS NULL THEN '' ELSE
               ' AND EXISTS (SELECT 1 FROM chunks c WHERE c.company_id = %1$s AND c.id = e.chunk_id'
               ' AND c.document_id = ANY ($3))' END
            || CASE WHEN speakers IS NULL THEN '' ELSE
               ' AND EXISTS (SELECT 1 FROM chunk_speakers s WHERE s.company_id = %1$s AND s.chunk_id = e.chunk_id'
               ' AND lower(s.speaker) = ANY ($4))' END
            || ' ORDER BY e.embedding::halfvec(%3$s) <=> $1::halfvec(%3$s) LIMIT $2) n',
            company, space, vector_dims(question)) INTO near USING question, lim, documents, speakers;
    END IF;
    IF coalesce(cardinality(near), 0) < lim THEN
        -- Few, or rows that the graph did not reach among its neighbours'. `+ 0`: not by the index.
        IF documents IS NULL AND speakers IS NULL THEN
            near := ARRAY(SELECT e.chunk_id FROM embeddings e WHERE e.company_id = company AND e.space_id = space
                          ORDER BY (e.embedding <=> question) + 0, e.chunk_id LIMIT lim);
        ELSE
            near := ARRAY(SELECT e.chunk_id FROM embeddings e
                          JOIN chunks c ON c.company_id = company AND c.id = e.chunk_id
                          WHERE e.company_id = company AND e.space_id = space
                            AND (documents IS NULL OR c.document_id = ANY (documents))
                            AND (speakers IS NULL OR EXISTS (
                                  SELECT 1 FROM chunk_speakers s WHERE s.company_id = company AND s.chunk_id = c.id
                                  AND lower(s.speaker) = ANY (speakers)))
                          ORDER BY (e.embedding <=> question) + 0, e.chunk_id LIMIT lim);
        END IF;
    END IF;
    RETURN near;
END $$;

CREATE FUNCTION knowledge_owned(company bigint) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public AS $$
BEGIN
    IF company IS NULL OR NOT company = ANY (switchboard_companies()) THEN
        RAISE EXCEPTION 'this transaction does not work for company %', company
            USING ERRCODE = 'insufficient_privilege';
    END IF;
END $$;

-- The nearest first; ties by chunk_id. similarity: cosine. exact: never by the index.
DROP FUNCTION knowledge_nearest;
CREATE FUNCTION knowledge_nearest(company bigint, space bigint, question halfvec, lim int, exact boolean DEFAULT false)
RETURNS TABLE (chunk_id bigint, document_id bigint, title text, ordinal int, text text, similarity double precision)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public
SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    near bigint[];
BEGIN
    PERFORM knowledge_owned(company);
    near := knowledge_by_meaning(company, space, question, NULL, NULL, lim, exact);
    RETURN QUERY
    SELECT c.id, c.document_id, c.title, c.ordinal, c.text, 1 - (e.embedding <=> question)
    FROM embeddings e JOIN chunks c ON c.company_id = company AND c.id = e.chunk_id
    WHERE e.company_id = company AND e.space_id = space AND e.chunk_id = ANY (near)
    ORDER BY e.embedding <=> question, c.id;
END $$;

-- ------------------------------------------------------------------ both
-- What comes into question for a question, each chunk with what its score is made of; in no order.
-- texts: the question, then what was said before it; weights: what the words of each count. space, question: NULL
-- searches by words alone. wanted: a filter or NULL. lim: candidates of each side.
-- Returns {"words": [[language, lexeme, tells, mean_length]…]: what the question's words tell, known or not;
-- "asked": {language: [lexeme…]}: the question's own words in their order; "chunks": {language: how many};
-- "documents": {id: [title, kind]};
-- "candidates": [[chunk, document, ordinal, language, length, {lexeme: [position…]}, cosine]…]}, cosine: null without a
-- vector.
-- The scores are made of it outside: joins over a handful of words, whose numbers no planner guesses, cost more here
-- than all the rest. So no statement below has a join.
-- Raises insufficient_privilege for a company that the transaction does not work for, and for a foreign filter.
CREATE FUNCTION knowledge_search(company bigint, texts text[], weights double precision[], space bigint,
                                 question halfvec, wanted jsonb, lim int) RETURNS jsonb
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, public
SET plan_cache_mode = force_custom_plan AS $$
DECLARE
    of_documents bigint[];
    of_speakers text[];
    languages text[];
    lexemes text[];
    tells double precision[];
    means double precision[];
    asked boolean[];
    counts int[];
    candidates bigint[] := '{}';
BEGIN
    PERFORM knowledge_owned(company);
    IF wanted IS NOT NULL THEN
        PERFORM knowledge_check_filter(company, wanted);
        of_documents := knowledge_documents(company, wanted);
        of_speakers := knowledge_speakers(wanted);
    END IF;
    SELECT array_agg(w.language), array_agg(w.lexeme), array_agg(w.weight * w.idf), array_agg(w.mean_length),
           array_agg(w.asked), array_agg(w.chunks)
    INTO languages, lexemes, tells, means, asked, counts FROM knowledge_words(company, texts, weights) w;
    IF lexemes IS NOT NULL THEN
        candidates := knowledge_by_words(company, languages, lexemes, tells, asked, counts, of_documents, of_speakers,
                                         lim);
    END IF;
    IF space IS NOT NULL THEN
        candidates := candidates || knowledge_by_meaning(company, space, question, of_documents, of_speakers, lim);
    END IF;
    RETURN jsonb_build_object(
        'words', (SELECT coalesce(jsonb_agg(jsonb_build_array(w.language, w.lexeme, w.tells, w.mean)), '[]')
                  FROM unnest(languages, lexemes, tells, means) AS w (language, lexeme, tells, mean)),
        'chunks', (SELECT coalesce(jsonb_object_agg(s.language, s.chunks), '{}') FROM knowledge_stats s
                   WHERE s.company_id = company AND s.chunks > 0),
        'asked', (SELECT coalesce(jsonb_object_agg(s.language, (
                      SELECT coalesce(jsonb_agg(u.lexeme ORDER BY place), '[]')
                      FROM unnest(knowledge_tsvector(s.language, left(texts[1], 4096))) u, unnest(u.positions) AS place)), '{}')
                  FROM knowledge_stats s WHERE s.company_id = company AND s.chunks > 0),
        'documents', (
            SELECT coalesce(jsonb_object_agg(d.id, jsonb_build_array(d.title, d.kind)), '{}')
            FROM documents d WHERE d.company_id = company AND d.id = ANY (ARRAY(
                SELECT DISTINCT c.document_id FROM chunks c WHERE c.company_id = company AND c.id = ANY (candidates)))),
        'candidates', (
            SELECT coalesce(jsonb_agg(jsonb_build_array(
                c.id, c.document_id, c.ordinal, c.language, c.length,
                (SELECT jsonb_object_agg(u.lexeme, u.positions) FROM unnest(c.tsv) u WHERE u.lexeme = ANY (lexemes)),
                (SELECT 1 - (e.embedding <=> question) FROM embeddings e
                 WHERE e.company_id = company AND e.chunk_id = c.id AND e.space_id = space))), '[]')
            FROM chunks c WHERE c.company_id = company AND c.id = ANY (candidates)));
END $$;

GRANT EXECUTE ON FUNCTION knowledge_search, knowledge_nearest, knowledge_check_filter, knowledge_documents,
    knowledge_visible TO switchboard_app;
