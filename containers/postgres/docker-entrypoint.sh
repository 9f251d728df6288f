#!/bin/bash
# First start: make a cluster, fill it through a temporary server that only the unix socket reaches, stop that
# server, then become the real one. Later starts: become the server at once.
#
# Variables: POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB, POSTGRES_INITDB_ARGS (each also as NAME_FILE),
# POSTGRES_INITDB_WALDIR, POSTGRES_HOST_AUTH_METHOD, PGDATA. Scripts: /docker-entrypoint-initdb.d.
set -Eeuo pipefail

readonly INIT_FOLDER=/docker-entrypoint-initdb.d

die() {
	printf '%s\n' "$@" >&2
	exit 1
}

# value_of NAME [DEFAULT]: export NAME from itself, or from the file that NAME_FILE names, or the default.
value_of() {
	local name="$1" default="${2:-}" file_name="$1_FILE"
	if [[ -n "${!name:-}" && -n "${!file_name:-}" ]]; then
		die "error: both $name and $file_name are set (but are exclusive)"
	fi
	local value="$default"
	if [[ -n "${!name:-}" ]]; then
		value="${!name}"
	elif [[ -n "${!file_name:-}" ]]; then
		value="$(<"${!file_name}")"
	fi
	export "$name"="$value"
	unset "$file_name"
}

read_environment() {
	value_of POSTGRES_PASSWORD
	value_of POSTGRES_USER postgres
	value_of POSTGRES_DB "$POSTGRES_USER"
	value_of POSTGRES_INITDB_ARGS
	: "${POSTGRES_HOST_AUTH_METHOD:=}"
}

# As root, the folders are also given to the server's user: a fresh volume belongs to root.
prepare_folders() {
	local folders=("$PGDATA" /var/run/postgresql)
	mkdir -p "$PGDATA"
	chmod 0700 "$PGDATA" || :
	mkdir -p /var/run/postgresql || :
	chmod 3775 /var/run/postgresql || :
	if [[ -n "${POSTGRES_INITDB_WALDIR:-}" ]]; then
		mkdir -p "$POSTGRES_INITDB_WALDIR"
		chmod 0700 "$POSTGRES_INITDB_WALDIR"
		folders+=("$POSTGRES_INITDB_WALDIR")
	fi
	if ((EUID == 0)); then
		find "${folders[@]}" \! -user postgres -exec chown postgres '{}' +
	fi
}

require_password() {
	if [[ -n "$POSTGRES_PASSWORD" ]]; then
		return
	fi
	if [[ "$POSTGRES_HOST_AUTH_METHOD" != trust ]]; then
		die "Error: Database is uninitialized and superuser password is not specified." \
			"       Set POSTGRES_PASSWORD to a non-empty value for the superuser," \
			"       for example \"-e POSTGRES_PASSWORD=password\" on the command line." \
			"       POSTGRES_HOST_AUTH_METHOD=trust lets everybody in without a password:" \
			"       that is *not* recommended."
	fi
	printf '%s\n' \
		"WARNING: POSTGRES_HOST_AUTH_METHOD has been set to \"trust\": anyone who reaches" \
		"         the server's port has access to the database without a password." >&2
}

# initdb refuses a user without a passwd entry (`--user 1234`): lend it one for as long as it runs.
lend_passwd_entry() {
	if getent passwd "$EUID" >/dev/null; then
		return
	fi
	local library
	library="$(find /usr/lib -name libnss_wrapper.so | head -n 1)"
	[[ -n "$library" ]] || return 0
	NSS_WRAPPER_PASSWD="$(mktemp)"
	NSS_WRAPPER_GROUP="$(mktemp)"
	export LD_PRELOAD="$library" NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
	local gid
	gid="$(id -g)"
	printf 'postgres:x:%s:%s:PostgreSQL:%s:/bin/false\n' "$EUID" "$gid" "$PGDATA" >"$NSS_WRAPPER_PASSWD"
	printf 'postgres:x:%s:\n' "$gid" >"$NSS_WRAPPER_GROUP"
}

return_passwd_entry() {
	if [[ -n "${NSS_WRAPPER_PASSWD:-}" ]]; then
		rm -f "$NSS_WRAPPER_PASSWD" "$NSS_WRAPPER_GROUP"
		unset LD_PRELOAD NSS_WRAPPER_PASSWD NSS_WRAPPER_GROUP
	fi
}

make_cluster() {
	local -a extra
	# The variable holds shell words, quotes included: that is its contract.
	eval "extra=($POSTGRES_INITDB_ARGS)"
	if [[ -n "${POSTGRES_INITDB_WALDIR:-}" ]]; then
		extra+=(--waldir "$POSTGRES_INITDB_WALDIR")
	fi
	lend_passwd_entry
	initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") "${extra[@]}"
	return_passwd_entry
}

# allow_remote_logins SERVER_ARGUMENT...
allow_remote_logins() {
	local method="$POSTGRES_HOST_AUTH_METHOD"
	if [[ -z "$method" ]]; then
		method="$(postgres -C password_encryption "$@")"
	fi
	printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

start_temporary_server() {
	NOTIFY_SOCKET='' PGUSER="${PGUSER:-$POSTGRES_USER}" pg_ctl -D "$PGDATA" -w start \
		-o "$(printf '%q ' "$@" -c listen_addresses= -p "${PGPORT:-5432}")"
}

stop_temporary_server() {
	PGUSER="${PGUSER:-postgres}" pg_ctl -D "$PGDATA" -m fast -w stop
}

# psql on the temporary server; the first error ends it, and the container with it.
run_sql() {
	PGHOST='' PGHOSTADDR='' psql -v ON_ERROR_STOP=1 --no-psqlrc --no-password --username "$POSTGRES_USER" "$@"
}

create_database() {
	local found
	found="$(run_sql --dbname postgres -v name="$POSTGRES_DB" --tuples-only <<<"SELECT 1 FROM pg_database WHERE datname = :'name';")"
	if [[ -z "$found" ]]; then
		run_sql --dbname postgres -v name="$POSTGRES_DB" <<<'CREATE DATABASE :"name";'
	fi
}

run_init_files() {
	local file
	for file in "$INIT_FOLDER"/*; do
		case "$file" in
		*.sh)
			printf '%s: running %s\n' "$0" "$file"
			# Not executable, as mounts often leave them: read by this shell instead.
			# shellcheck disable=SC1090
			if [[ -x "$file" ]]; then "$file"; else . "$file"; fi
			;;
		*.sql) printf '%s: running %s\n' "$0" "$file" && run_sql --dbname "$POSTGRES_DB" -f "$file" ;;
		*.sql.gz) printf '%s: running %s\n' "$0" "$file" && gzip -dc "$file" | run_sql --dbname "$POSTGRES_DB" ;;
		*.sql.xz) printf '%s: running %s\n' "$0" "$file" && xz -dc "$file" | run_sql --dbname "$POSTGRES_DB" ;;
		*.sql.zst) printf '%s: running %s\n' "$0" "$file" && zstd -dc "$file" | run_sql --dbname "$POSTGRES_DB" ;;
		"$INIT_FOLDER/*") ;;
		*) printf '%s: ignoring %s\n' "$0" "$file" ;;
		esac
	done
}

# first_start SERVER_ARGUMENT...
first_start() {
	require_password
	ls "$INIT_FOLDER" >/dev/null # unreadable scripts must fail before there is a half-made cluster
	make_cluster
	allow_remote_logins "$@"

	export PGPASSWORD="${PGPASSWORD:-$POSTGRES_PASSWORD}" # psql in init scripts needs no password of its own
	start_temporary_server "$@"
	create_database
	run_init_files
	stop_temporary_server
	unset PGPASSWORD

	printf '\n%s\n\n' 'PostgreSQL init process complete; ready for start up.'
}

asks_for_help() {
	local argument
	for argument; do
		case "$argument" in
		-'?' | --help | --describe-config | -V | --version) return 0 ;;
		esac
	done
	return 1
}

if [[ "${1:-}" == -* ]]; then
	set -- postgres "$@"
fi

if [[ "${1:-}" == postgres ]] && ! asks_for_help "$@"; then
	read_environment
	prepare_folders
	if ((EUID == 0)); then
		HOME=/var/lib/postgresql exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
	fi
	if [[ -s "$PGDATA/PG_VERSION" ]]; then
		printf '\n%s\n\n' 'PostgreSQL Database directory appears to contain a database; Skipping initialization'
	else
		first_start "${@:2}"
	fi
fi

exec "$@"
