-- Which customer messages nobody has read.

CREATE OR REPLACE FUNCTION numbers_in(ranges int8multirange) RETURNS bigint
LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(sum(upper(r) - lower(r)), 0)::bigint FROM unnest(ranges) AS r
$$;

-- Written into the query that calls it, so that a list asks numbers_in only where there is something to count.
CREATE OR REPLACE FUNCTION unread_of(customer_seq bigint, read_seq bigint, read_beyond int8multirange) RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT customer_seq - read_seq - CASE WHEN read_beyond = '{}' THEN 0 ELSE numbers_in(read_beyond) END
$$;

-- Of so many ranges that a customer made of them the longest thousand: the messages of the others count as unread once
-- more until somebody has read them. A row of a conversation stays small, whatever is taken back in it.
CREATE OR REPLACE FUNCTION longest_ranges(ranges int8multirange) RETURNS int8multirange
LANGUAGE sql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN (SELECT count(*) FROM unnest(ranges)) <= 1000 THEN ranges ELSE (
        SELECT range_agg(longest.r)
        FROM (SELECT r FROM unnest(ranges) AS r ORDER BY upper(r) - lower(r) DESC, r DESC LIMIT 1000) longest
    ) END
$$;

-- read_seq goes on over what follows it and was read ahead of it, and of the rest only what is behind it is kept: then
-- unread = customer_seq - read_seq - what read_beyond holds, whoever moved either of them.
CREATE OR REPLACE FUNCTION conversations_read_beyond() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
DECLARE
    ahead int8multirange := NEW.read_beyond;
BEGIN
    -- by a process of the version before, which runs until it is stopped
    IF NEW.read_ahead <> '{}' THEN
        ahead := ahead + (SELECT range_agg(int8range(n, n + 1)) FROM unnest(NEW.read_ahead) AS n);
        NEW.read_ahead := '{}';
    END IF;
    ahead := ahead * int8multirange(int8range(NEW.read_seq + 1, NEW.customer_seq + 1));
    IF lower(ahead) = NEW.read_seq + 1 THEN
        SELECT upper(r) - 1 INTO NEW.read_seq FROM unnest(ahead) AS r ORDER BY r LIMIT 1;
        ahead := ahead * int8multirange(int8range(NEW.read_seq + 1, NULL));
    END IF;
    NEW.read_beyond := ahead;
    RETURN NEW;
END
$$;
CREATE OR REPLACE TRIGGER conversations_read_beyond BEFORE UPDATE OF read_seq, read_beyond, read_ahead ON conversations
    FOR EACH ROW WHEN (NEW.read_beyond <> '{}' OR NEW.read_ahead <> '{}') EXECUTE FUNCTION conversations_read_beyond();

REVOKE ALL ON FUNCTION conversations_read_beyond FROM PUBLIC;
REVOKE ALL ON FUNCTION numbers_in, unread_of, longest_ranges FROM PUBLIC;
GRANT EXECUTE ON FUNCTION numbers_in, unread_of, longest_ranges TO switchboard_app;
