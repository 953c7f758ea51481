-- What people name (companies, agents, collections) has one rule for all, which shared/names.py tells in words: trimmed,
-- 1 to 100 characters, something to see, no control characters and nothing that reverses the text's direction; unique
-- without regard to case. Companies get a slug beside their id, so that commands can name one in one way.
--
-- What is there already is mended, and each change is told as a warning (`./switchboard migrate` prints it): control
-- characters become spaces, names are trimmed and cut at 100 characters, one with nothing to see becomes `company 7`,
-- and of names that are alike all but the oldest get a number: `Acme (2)`. Of agents only those whose key counts have to
-- differ.

-- Two names with the same key are the same name: Unicode's NFKC, letters folded, invisible characters left out, inner
-- white space as one space. The collation is named where the server has one that folds all letters alike everywhere.
DO $do$
DECLARE
    folds text := coalesce(
        (SELECT ' COLLATE ' || quote_ident(collname) FROM pg_collation
         WHERE collname IN ('pg_c_utf8', 'und-x-icu') ORDER BY collname LIMIT 1), '');
BEGIN
    EXECUTE format($sql$
        CREATE FUNCTION name_key(name text) RETURNS text
        LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $fn$
            SELECT btrim(regexp_replace(replace(replace(lower(normalize(regexp_replace(name,
                '[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800'
                '\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff]', '', 'g'), NFKC)%s),
                'ß', 'ss'), 'ς', 'σ'), '[\s\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]+', ' ', 'g'))
        $fn$ $sql$, folds);
END $do$;

-- Length, edges and characters; whether there is something to see is told by the key.
CREATE FUNCTION name_is_plain(name text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT char_length(name) BETWEEN 1 AND 100
        AND name !~ '[\u0001-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]'
        AND name !~ '^[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]|[ \u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]$'
$$;
REVOKE ALL ON FUNCTION name_key(text), name_is_plain(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION name_key(text), name_is_plain(text) TO switchboard_app;

-- ------------------------------------------------------------------ mend what is there
CREATE FUNCTION name_mended(name text, instead text) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN name_key(plain) = '' THEN instead ELSE plain END FROM (SELECT
        btrim(left(btrim(regexp_replace(name,
            '[\u0001-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]+', ' ', 'g'),
            U&' \00A0\1680\2000\2001\2002\2003\2004\2005\2006\2007\2008\2009\200A\202F\205F\3000'), 100),
            U&' \00A0\1680\2000\2001\2002\2003\2004\2005\2006\2007\2008\2009\200A\202F\205F\3000')) AS tidied (plain)
$$;

-- With a number where a name that came before is the same; `taken` are the keys that are.
CREATE FUNCTION name_numbered(name text, taken text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    number int := 1;
    wanted text := name;
BEGIN
    WHILE name_key(wanted) = ANY (taken) LOOP
        number := number + 1;
        wanted := btrim(left(name, 90)) || ' (' || number || ')';
    END LOOP;
    RETURN wanted;
END $$;

ALTER TABLE companies DROP CONSTRAINT companies_name_key;
ALTER TABLE collections DROP CONSTRAINT collections_company_id_name_key;

DO $$
DECLARE
    one record;
    wanted text;
    taken text[] := '{}';
BEGIN
    FOR one IN SELECT id, name FROM companies ORDER BY id LOOP
        wanted := name_numbered(name_mended(one.name, 'company ' || one.id), taken);
        taken := taken || name_key(wanted);
        IF wanted <> one.name THEN
            UPDATE companies SET name = wanted WHERE id = one.id;
            RAISE WARNING 'company % was named % and is % now', one.id, to_json(one.name), to_json(wanted);
        END IF;
    END LOOP;
    FOR one IN SELECT company_id, id, name, disabled_at, lag(company_id) OVER w IS DISTINCT FROM company_id AS first
               FROM agents WINDOW w AS (ORDER BY company_id, disabled_at IS NULL DESC, id)
               ORDER BY company_id, disabled_at IS NULL DESC, id LOOP
        IF one.first THEN taken := '{}'; END IF;
        wanted := name_mended(one.name, 'agent ' || one.id);
        IF one.disabled_at IS NULL THEN
            wanted := name_numbered(wanted, taken);
            taken := taken || name_key(wanted);
        END IF;
        IF wanted <> one.name THEN
            UPDATE agents SET name = wanted WHERE company_id = one.company_id AND id = one.id;
            RAISE WARNING 'agent %/% was named % and is % now',
                one.company_id, one.id, to_json(one.name), to_json(wanted);
        END IF;
    END LOOP;
    FOR one IN SELECT company_id, id, name, lag(company_id) OVER w IS DISTINCT FROM company_id AS first
               FROM collections WINDOW w AS (ORDER BY company_id, id) ORDER BY company_id, id LOOP
        IF one.first THEN taken := '{}'; END IF;
        wanted := name_numbered(name_mended(one.name, 'collection ' || one.id), taken);
        taken := taken || name_key(wanted);
        IF wanted <> one.name THEN
            UPDATE collections SET name = wanted WHERE company_id = one.company_id AND id = one.id;
            RAISE WARNING 'collection %/% was named % and is % now',
                one.company_id, one.id, to_json(one.name), to_json(wanted);
        END IF;
    END LOOP;
END $$;

DROP FUNCTION name_numbered(text, text[]), name_mended(text, text);

ALTER TABLE companies ADD CONSTRAINT companies_name CHECK (name_is_plain(name) AND name_key(name) <> '');
ALTER TABLE agents ADD CONSTRAINT agents_name CHECK (name_is_plain(name) AND name_key(name) <> '');
ALTER TABLE collections ADD CONSTRAINT collections_name CHECK (name_is_plain(name) AND name_key(name) <> '');
CREATE UNIQUE INDEX companies_name_once ON companies (name_key(name));
CREATE UNIQUE INDEX agents_name_once ON agents (company_id, name_key(name)) WHERE disabled_at IS NULL;
CREATE UNIQUE INDEX collections_name_once ON collections (company_id, name_key(name));

-- ------------------------------------------------------------------ slugs
-- A name in a-z, 0-9 and single hyphens, at most 50 characters; `company` where nothing of it can be written so. Latin,
-- Greek and Cyrillic letters are transliterated.
CREATE FUNCTION slug_of(name text) RETURNS text
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    slug text := name_key(name);
    pair text[];
BEGIN
    FOREACH pair SLICE 1 IN ARRAY ARRAY[
        ['æ', 'ae'], ['œ', 'oe'], ['þ', 'th'], ['ŋ', 'ng'], ['ĳ', 'ij'],
        ['ё', 'yo'], ['ж', 'zh'], ['х', 'kh'], ['ц', 'ts'], ['ч', 'ch'], ['ш', 'sh'], ['щ', 'shch'], ['ю', 'yu'],
        ['я', 'ya'], ['є', 'ye'], ['ї', 'yi'], ['ъ', ''], ['ь', ''], ['љ', 'lj'], ['њ', 'nj'], ['џ', 'dz'],
        ['θ', 'th'], ['χ', 'ch'], ['ψ', 'ps']]
    LOOP
        slug := replace(slug, pair[1], pair[2]);
    END LOOP;
    slug := translate(slug, 'øđðłħıŧабвгдезийклмнопрстуфыэіґјћђ', 'oddlhitabvgdeziyklmnoprstufyeigjcd');
    slug := regexp_replace(normalize(slug, NFKD), '[\u0300-\u036f''’]', '', 'g');
    slug := translate(slug, 'αβγδεζηικλμνξοπρστυφω', 'avgdeziiklmnxoprstyfo');
    slug := btrim(left(btrim(regexp_replace(slug, '[^a-z0-9]+', '-', 'g'), '-'), 50), '-');
    IF slug !~ '[a-z]' THEN  -- digits alone would be an id
        slug := btrim('company-' || slug, '-');
    END IF;
    RETURN slug;
END $$;

ALTER TABLE companies ADD COLUMN slug text;

-- A company made without a slug gets one from its name, with a number where another company has it.
CREATE FUNCTION companies_slug() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    base text := slug_of(NEW.name);
    number int := 1;
BEGIN
    PERFORM pg_advisory_xact_lock(7349202);  -- of two that are made at once the second one sees the first one's
    NEW.slug := base;
    WHILE EXISTS (SELECT 1 FROM companies WHERE slug = NEW.slug) LOOP
        number := number + 1;
        NEW.slug := base || '-' || number;
    END LOOP;
    RETURN NEW;
END $$;
REVOKE ALL ON FUNCTION slug_of(text), companies_slug() FROM PUBLIC;
CREATE TRIGGER companies_slug BEFORE INSERT OR UPDATE ON companies
    FOR EACH ROW WHEN (NEW.slug IS NULL) EXECUTE FUNCTION companies_slug();

CREATE UNIQUE INDEX companies_slug_once ON companies (slug);
DO $$
DECLARE
    one bigint;
BEGIN
    FOR one IN SELECT id FROM companies ORDER BY id LOOP
        UPDATE companies SET slug = NULL WHERE id = one;  -- by the trigger
    END LOOP;
END $$;
ALTER TABLE companies ALTER COLUMN slug SET NOT NULL;
ALTER TABLE companies ADD CONSTRAINT companies_slug
    CHECK (slug ~ '^[a-z0-9]+(-[a-z0-9]+)*$' AND slug ~ '[a-z]' AND char_length(slug) <= 63);
