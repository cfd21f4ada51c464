#!/bin/sh
# Backs up both databases into one new folder.
#
#   backup.sh FOLDER
#
# Needs psql and pg_dump of the server's version or a newer one (the image of PostgreSQL has them), and nothing else.
# Where the server is, and who asks, libpq reads from its own variables: PGHOST, PGPORT, PGUSER, PGPASSFILE, PGSERVICE.
# That role must see every row: a superuser, or pg_read_all_data with BYPASSRLS.
#
#   assistant_api.dump, tool_sync.dump   pg_dump's custom format, each database as of one moment
#   roles.sql                            our roles and who is a member of what, without passwords; may be run twice
#   manifest.json                        when, by what, and for each database: installation, migrations, head, rows
#   SHA256SUMS                           of all of these, for `sha256sum --check`; against damage, not against malice
#
# A folder that exists is never written into. What is not whole yet is in FOLDER.unfinished.*, and gone when this ends
# with a failure; only kill -9 leaves it there, and the next run says so.
#
# Exit status: 0 done; 1 what was written cannot be read; 2 usage, or a database that does not answer; 3 refused.
set -eu
umask 077
here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
databases="assistant_api tool_sync"

say() { echo "backup: $*" >&2; }
end() { status=$1; shift; say "$@"; exit "$status"; }

[ $# -eq 1 ] && [ -n "$1" ] || end 2 "usage: backup.sh FOLDER"
out=${1%/}
[ ! -e "$out" ] || end 3 "$out exists, and a backup is never written over anything"
for left in "$out".unfinished.*; do
    [ ! -e "$left" ] || say "$left is unfinished: of a backup that was killed, unless one is running; remove it then"
done
mkdir -p "$(dirname "$out")"
made=$(mktemp -d "$out.unfinished.XXXXXX")
trap 'status=$?; rm -rf "$made"; [ "$status" = 0 ] || say "there is no backup"' EXIT
trap 'exit 2' HUP INT TERM

export PGOPTIONS="${PGOPTIONS:-} -c client_min_messages=warning"
started=$(date -u +%Y-%m-%dT%H:%M:%SZ)
# Only what is ours: a server may have other roles. One that is there already stays, and is made as it was.
pg_dumpall --roles-only --no-role-passwords --no-password --file="$made/roles.sql" || end 2 "the roles cannot be read"
grep -q '^CREATE ROLE tool_sync_owner;' "$made/roles.sql" || end 2 "this server has no role tool_sync_owner"
awk '
    /^(CREATE|ALTER) ROLE (assistant_api|tool_sync)[a-z_]*[ ;]/ || /^GRANT (assistant_api|tool_sync)[a-z_]* TO / {
        if ($1 == "CREATE") {
            role = $3; sub(/;$/, "", role)
            printf "SELECT $$%s$$ WHERE to_regrole($$%s$$) IS NULL \\gexec\n", $0, role
        } else print
    }' "$made/roles.sql" > "$made/roles.ours" && mv "$made/roles.ours" "$made/roles.sql"

facts=
for database in $databases; do
    say "$database"
    found=$(PGDATABASE=$database DUMP="$made/$database.dump" psql -XAtq --no-password --file "$here/dump.sql") \
        || end 2 "$database cannot be dumped"
    facts="$facts, \"$database\": $found"
done
printf '{"product": "zerotouch", "format": 1, "taken_at": "%s", "pg_dump": "%s", "databases": {%s}}\n' \
    "$started" "$(pg_dump --version | sed 's/.*) //')" "${facts#, }" > "$made/manifest.json"

for database in $databases; do  # every block is read, as a restore would, and not only the table of contents
    pg_restore --file=/dev/null "$made/$database.dump" || end 1 "$database.dump cannot be read"
done
(cd "$made" && sha256sum -- *.dump roles.sql manifest.json > SHA256SUMS && sync -- * && sync .)
mv -nT "$made" "$out" && [ ! -e "$made" ] || end 3 "$out was made by somebody else meanwhile, and stays as it is"
say "$out: $(du -sh "$out" | cut -f1), as of $started"
