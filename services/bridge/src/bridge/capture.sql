-- What bridge keeps in the old shop's database, and the triggers that record its changes. Run at every start, as a whole
-- and by one replica at a time: what is there already is left as it is.

-- Bridge gives up, for now, long before PostgreSQL would look for a deadlock and might choose a customer as its victim.
SET LOCAL lock_timeout = '500ms';

DO $$ BEGIN
    -- Not CREATE SCHEMA IF NOT EXISTS: that asks for the right to make schemas even where there is nothing to make.
    IF to_regnamespace('bridge') IS NULL THEN
        CREATE SCHEMA bridge;
    END IF;
END $$;

CREATE TABLE IF NOT EXISTS bridge.change (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    tbl text NOT NULL,
    op text NOT NULL,
    old jsonb,
    new jsonb,
    origin text
);

-- For the rule of conflicts: has the old shop changed what a book is since? Sales are left out: they change the stock only.
DO $$ BEGIN
    -- Not CREATE INDEX IF NOT EXISTS: that locks the table against whoever writes to it, a checkout among them, and looks
    -- only then.
    IF to_regclass('bridge.change_of_book') IS NULL THEN
        CREATE INDEX change_of_book ON bridge.change ((new ->> 'id'), id)
            WHERE tbl = 'products' AND origin IS NULL AND (old - 'stock') IS DISTINCT FROM (new - 'stock');
    END IF;
END $$;

CREATE TABLE IF NOT EXISTS bridge.position (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    id bigint NOT NULL,
    suppressed bigint NOT NULL DEFAULT 0
);

-- Which customer or order of the new shop is which of the old one; `origin` is the shop that it came from.
CREATE TABLE IF NOT EXISTS bridge.link (
    kind text NOT NULL,
    number bigint NOT NULL,
    id uuid NOT NULL,
    origin text NOT NULL,
    PRIMARY KEY (kind, number),
    UNIQUE (kind, id)
);

CREATE TABLE IF NOT EXISTS bridge.snapshot (
    tbl text PRIMARY KEY,
    last_id bigint NOT NULL DEFAULT 0,
    done boolean NOT NULL DEFAULT false,
    rows bigint NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL DEFAULT now()
);

-- Which products a snapshot has read, and as of which change: it may bring older content to the catalogue.
CREATE TABLE IF NOT EXISTS bridge.chunk (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now(),
    first_id bigint NOT NULL,
    last_id bigint NOT NULL,
    watermark bigint NOT NULL
);

-- The newest version of the catalogue's that was written back, by book.
CREATE TABLE IF NOT EXISTS bridge.written (
    isbn text PRIMARY KEY,
    version bigint NOT NULL
);

CREATE TABLE IF NOT EXISTS bridge.inbox (
    message_id uuid PRIMARY KEY,
    handled_at timestamptz NOT NULL DEFAULT now()
);
DO $$ BEGIN
    IF to_regclass('bridge.ix_inbox_handled_at') IS NULL THEN
        CREATE INDEX ix_inbox_handled_at ON bridge.inbox (handled_at);
    END IF;
END $$;

-- A first row, so that there is a highest id from the beginning: consumers take what is newer than version 0.
INSERT INTO bridge.change (tbl, op) SELECT 'bridge', 'INSTALL' WHERE NOT EXISTS (SELECT FROM bridge.change);
INSERT INTO bridge.position (id) SELECT min(id) FROM bridge.change ON CONFLICT DO NOTHING;

-- Runs at the commit of whoever changed the row (the triggers are deferred), with bridge's rights.
CREATE OR REPLACE FUNCTION bridge.record() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ BEGIN
    IF TG_OP = 'UPDATE' AND OLD IS NOT DISTINCT FROM NEW THEN
        RETURN NULL;
    END IF;
    -- Without this lock two transactions that end together would take their ids in one order and appear in the other,
    -- and whoever reads `id > last` would never see the one that appeared late. Held until the commit is visible, it
    -- makes the order of the ids the order of the commits. The price: the old shop's commits go one by one.
    PERFORM pg_advisory_xact_lock(7263002);
    INSERT INTO bridge.change (tbl, op, old, new, origin)
    VALUES (TG_TABLE_NAME, TG_OP, to_jsonb(OLD), to_jsonb(NEW), nullif(current_setting('bridge.origin', true), ''));
    RETURN NULL;
END $$;

DO $$ DECLARE
    name text;
BEGIN
    -- Waits for the transactions that are at work on a table: none of them goes unrecorded and unseen by a snapshot. The
    -- order is that in which a checkout comes to write to them: who follows it waits for bridge, and not bridge for him.
    FOREACH name IN ARRAY ARRAY['products', 'orders', 'order_items', 'customers'] LOOP
        IF NOT EXISTS (
            SELECT FROM pg_trigger WHERE tgname = 'bridge_record' AND tgrelid = format('public.%I', name)::regclass
        ) THEN
            EXECUTE format(
                'CREATE CONSTRAINT TRIGGER bridge_record AFTER INSERT OR UPDATE OR DELETE ON public.%I '
                'DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION bridge.record()', name);
        END IF;
    END LOOP;
END $$;
