-- Makes the databases of both services, once, when PostgreSQL's volume is new. For each: an owner, who migrates and may
-- therefore create the group roles, and a login role for the process. No service can connect to the other's database.
-- The passwords come from the environment; one that is missing ends the script with an error.
\getenv tool_sync_owner_password TOOL_SYNC_OWNER_PASSWORD
\getenv tool_sync_password TOOL_SYNC_PASSWORD
\getenv assistant_api_owner_password ASSISTANT_API_OWNER_PASSWORD
\getenv assistant_api_password ASSISTANT_API_PASSWORD

CREATE ROLE tool_sync_owner LOGIN CREATEROLE PASSWORD :'tool_sync_owner_password';
CREATE ROLE tool_sync LOGIN PASSWORD :'tool_sync_password';
CREATE DATABASE tool_sync OWNER tool_sync_owner TEMPLATE template0;
REVOKE ALL ON DATABASE tool_sync FROM PUBLIC;
GRANT CONNECT ON DATABASE tool_sync TO tool_sync;

CREATE ROLE assistant_api_owner LOGIN CREATEROLE PASSWORD :'assistant_api_owner_password';
CREATE ROLE assistant_api LOGIN PASSWORD :'assistant_api_password';
CREATE DATABASE assistant_api OWNER assistant_api_owner TEMPLATE template0;
REVOKE ALL ON DATABASE assistant_api FROM PUBLIC;
GRANT CONNECT ON DATABASE assistant_api TO assistant_api;
