-- No company without an assistant, no channel without one.

CREATE OR REPLACE FUNCTION companies_assistant() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    INSERT INTO assistants (company_id, is_default) VALUES (NEW.id, true);
    RETURN NULL;
END $$;

CREATE OR REPLACE TRIGGER companies_assistant AFTER INSERT ON companies
    FOR EACH ROW EXECUTE FUNCTION companies_assistant();

-- A channel that is connected without naming one is bound to its company's default.
CREATE OR REPLACE FUNCTION channels_assistant() RETURNS trigger
LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    SELECT a.id INTO NEW.assistant_id FROM assistants a
    WHERE a.company_id = NEW.company_id AND a.is_default AND a.kind = 'support';
    RETURN NEW;
END $$;

CREATE OR REPLACE TRIGGER channels_assistant BEFORE INSERT ON channels
    FOR EACH ROW WHEN (NEW.assistant_id IS NULL) EXECUTE FUNCTION channels_assistant();

-- ------------------------------------------------------------------ who may call what
REVOKE ALL ON FUNCTION companies_assistant, channels_assistant FROM PUBLIC, switchboard_app;
