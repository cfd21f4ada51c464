#!/bin/sh
# Restores a backup of backup.sh, and does what a restore of this product needs after it.
#
#   restore.sh FOLDER REASON
#
# Stop both services first. Needs PostgreSQL's own programs and libpq's variables, as backup.sh, for a role that may
# create databases and roles. And:
#
#   DATABASES         only this one of the two: DATABASES=tool_sync
#   REPLACE           the names of databases that are there and not empty: they are renamed to NAME_before_TIME and kept
#   INSTALLATION_ID   refuse a backup of another installation
#   TOOL_SYNC, ASSISTANT_API
#                     how a command of the service is run, with its settings and MIGRATE_DATABASE_URL: a script of your
#                     own (docs/runbooks/backup.md). Without one its steps are named and left to you.
#
# Nothing is touched before the whole backup was read and is what it was. Each database is restored beside the old one,
# in one transaction, and compared with the manifest; then both take their names, at once. Killed before that, the old
# ones are as they were; killed after it, the same command goes on with the steps. Each may be run twice.
#
# Exit status: 0 everything that was named on the way is true; 1 something is not, or is left to you; 2 usage, or a
# database that does not answer; 3 refused, and nothing was changed.
set -eu
here=$(CDPATH='' cd "$(dirname "$0")" && pwd)
databases=${DATABASES:-assistant_api tool_sync}

say() { echo "restore: $*" >&2; }
end() { status=$1; shift; say "$@"; exit "$status"; }
ask() { psql -XAtq --no-password --set ON_ERROR_STOP=1 --dbname "$@"; }

[ $# -eq 2 ] && [ -n "$1" ] && [ -n "$2" ] || end 2 "usage: restore.sh FOLDER REASON"
from=${1%/} reason=$2
for database in $databases; do
    case $database in assistant_api | tool_sync) ;; *) end 2 "DATABASES: there is no $database" ;; esac
done
export PGOPTIONS="${PGOPTIONS:-} -c client_min_messages=warning"
ask postgres --command 'SELECT 1' > /dev/null || end 2 "the server does not answer"

# --- is it a backup, whole, and of this installation?
for file in manifest.json roles.sql SHA256SUMS assistant_api.dump tool_sync.dump; do
    [ -f "$from/$file" ] || end 3 "$from is no backup: it has no $file"
    [ "$file" = SHA256SUMS ] || grep -q " [ *]\{0,1\}$file\$" "$from/SHA256SUMS" \
        || end 3 "SHA256SUMS does not name $file"
done
(cd "$from" && sha256sum --check --strict --quiet SHA256SUMS >&2) || end 3 "$from is not as it was written"
id=$(sha256sum < "$from/SHA256SUMS" | cut -c1-16)
manifest=$(cat "$from/manifest.json")
in_manifest() { echo "SELECT :'manifest'::jsonb #>> '{$1}'" | ask postgres --set manifest="$manifest"; }
[ "$(in_manifest product)/$(in_manifest format)" = zerotouch/1 ] \
    || end 3 "$from is no backup that this release can read"
for database in $databases; do
    theirs=$(in_manifest "databases,$database,installation")
    [ -z "${INSTALLATION_ID:-}" ] || [ "$theirs" = "$INSTALLATION_ID" ] \
        || end 3 "$database.dump is of installation $theirs, and INSTALLATION_ID is $INSTALLATION_ID"
    pg_restore --file=/dev/null "$from/$database.dump" || end 3 "$database.dump cannot be read"
done

# --- what is there already?
mark="restored from backup $id"
stamp=$(date -u +%Y%m%d%H%M%S)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 2' HUP INT TERM
swap=
begun=
for database in $databases; do
    found=$(ask postgres --command "SELECT coalesce(shobj_description(oid, 'pg_database'), '-')
                                    FROM pg_database WHERE datname = '$database'")
    if [ "$found" = "$mark" ] && ! case " ${REPLACE:-} " in *" $database "*) ;; *) false ;; esac; then
        say "$database was restored from this backup already: the steps after it are done again"
        continue
    fi
    begun="$begun $database"
    [ -n "$found" ] || continue
    tables=$(ask "$database" --command "SELECT count(*) FROM pg_tables
                                        WHERE schemaname NOT IN ('pg_catalog', 'information_schema')")
    case " ${REPLACE:-} " in
        *" $database "*) ;;
        *) [ "$tables" = 0 ] || end 3 "$database is there and not empty; REPLACE=$database renames it and keeps it" ;;
    esac
    swap="$swap ALTER DATABASE $database RENAME TO ${database}_before_$stamp;"
done

# --- beside what is there
[ -z "$begun" ] || ask postgres --file "$from/roles.sql" > /dev/null || end 2 "the roles cannot be made"
for database in $begun; do
    beside=${database}_restoring
    [ -z "$(ask postgres --command "SELECT 1 FROM pg_database WHERE datname = '$beside'")" ] \
        || say "$beside is of a restore that was ended half way: it is dropped, and begun again"
    ask postgres --command "DROP DATABASE IF EXISTS $beside" || end 2 "$beside cannot be dropped: does a restore run?"
    say "$database"
    # The database itself, with its owner, encoding, rights and settings, under the other name.
    pg_restore --list --create "$from/$database.dump" \
        | grep -E " (DATABASE|DATABASE PROPERTIES|ACL - DATABASE) " > "$work/list"
    pg_restore --create --use-list="$work/list" --file=- "$from/$database.dump" \
        | sed -E "s/^(.*DATABASE) $database( |;)/\1 $beside\2/; /^\\\\(connect|restrict|unrestrict)/d" \
        | ask postgres || end 2 "$beside cannot be made"
    pg_restore --single-transaction --exit-on-error --no-password --dbname="$beside" "$from/$database.dump" \
        || end 2 "$database cannot be restored; run this again"
    now=$(ask "$beside" --file "$here/facts.sql") || end 2 "$beside cannot be compared; run this again"
    [ "$(echo "SELECT :'now'::jsonb = :'manifest'::jsonb #> '{databases,$database}'" \
        | ask postgres --set manifest="$manifest" --set now="$now")" = t ] \
        || end 1 "$database is not what the manifest says: $now"
    ask "$beside" --command ANALYZE || end 2 "$beside cannot be analyzed; run this again"
    swap="$swap ALTER DATABASE $beside RENAME TO $database; COMMENT ON DATABASE $database IS '$mark';"
done
# A database that somebody is connected to cannot be renamed: then nothing is.
[ -z "$swap" ] || echo "BEGIN; $swap COMMIT;" | ask postgres \
    || end 3 "the names are as they were: is a service running?"
for database in $begun; do say "$database is as in the manifest"; done

# --- what a restore of this product needs (docs/runbooks/restore.md, restore-assistant-api.md)
left=0
step() { # how the service is run, words…
    run=$1; shift
    if [ -z "$run" ]; then
        say "LEFT TO YOU: $service $*"
        left=1
    else
        say "$service $*"
        # shellcheck disable=SC2086 # a command and its words
        $run "$@" < /dev/null >&2 || end 1 "$service $*: status $?; put it right, and run this again"
    fi
}
no_password=$(ask postgres --command "SELECT string_agg(rolname, ' ') FROM pg_authid WHERE rolcanlogin
    AND rolpassword IS NULL AND rolname ~ '^(assistant_api|tool_sync)'" 2> /dev/null) || no_password=
[ -z "$no_password" ] || say "no password, as a backup has none: $no_password (unless they come in by a certificate)"
for database in $databases; do
    case $database in
        assistant_api)
            service=assistant-api
            step "${ASSISTANT_API:-}" migrate
            step "${ASSISTANT_API:-}" restore --yes --reason "$reason"
            step "${ASSISTANT_API:-}" erase verify --again --reason "$reason"
            ;;
        tool_sync)
            service=tool-sync
            step "${TOOL_SYNC:-}" migrate
            step "${TOOL_SYNC:-}" projection verify
            step "${TOOL_SYNC:-}" log fork --yes --reason "$reason"
            step "${TOOL_SYNC:-}" log verify
            ;;
    esac
done
[ "$left" = 0 ] || end 1 "restored; the services must not be started before what is left to you is done"
for database in $databases; do
    ask postgres --command "COMMENT ON DATABASE $database IS NULL" || end 2 "$database keeps its mark; run this again"
done
say "done, and true: backup, manifest, and each step above. Not looked at, as it comes with time:"
case " $databases " in *" tool_sync "*)
    say "  start tool-sync with another CONSUMER_GROUP, for good (tool-sync-$stamp): it reads what the backup lacks"
    say "  tell the owners of subscribers: the log has a new id" ;;
esac
say "  tool-sync audit, once open saves are done; token list of both services: what was revoked since is good again"
say "  databases named ..._before_... are dropped by you, when all of it works"
