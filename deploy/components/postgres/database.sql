-- One server, one service: its role and its database, closed to everybody else, and those who look on.
-- Passwords come from mounted files; they are in no argument and in no variable of the environment.
\set service `echo "$SERVICE"`
\set password `cat /run/secrets/database_password`
\set monitor_password `cat /run/secrets/monitor_password`

CREATE ROLE :"service" LOGIN PASSWORD :'password';
CREATE DATABASE :"service" OWNER :"service";
REVOKE CONNECT, TEMPORARY ON DATABASE :"service", postgres, template1 FROM PUBLIC;

-- Who works in it beside its owner does so as a member of the owner's role: only the owner may hang triggers on a table.
\set guest `echo "$GUEST"`
SELECT :'guest' <> '' AS visited \gset
\if :visited
\set guest_password `cat /run/secrets/guest_password`
CREATE ROLE :"guest" LOGIN PASSWORD :'guest_password';
GRANT :"service" TO :"guest";
GRANT CONNECT ON DATABASE :"service" TO :"guest";
\endif

-- For the dashboards: statistics and sizes, no row of any table.
CREATE ROLE monitor LOGIN PASSWORD :'monitor_password' CONNECTION LIMIT 5;
ALTER ROLE monitor SET default_transaction_read_only = on;
GRANT pg_monitor TO monitor;
GRANT CONNECT ON DATABASE :"service" TO monitor;

-- For the invariants, which need every row; but those of identity are hashes and keys, and no invariant is about them.
SELECT :'service' <> 'identity' AS audited \gset
\if :audited
\set auditor_password `cat /run/secrets/auditor_password`
CREATE ROLE auditor LOGIN PASSWORD :'auditor_password';
ALTER ROLE auditor SET default_transaction_read_only = on;
GRANT pg_read_all_data TO auditor;
GRANT CONNECT ON DATABASE :"service" TO auditor;
\endif
