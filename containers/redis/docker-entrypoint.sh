#!/bin/sh
# Drop to the redis user and become the server. Options (-...) and a configuration file (*.conf) alone as first
# argument mean "redis-server with these"; anything else is run as it is.
set -eu

case "${1:-}" in
-* | *.conf) set -- redis-server "$@" ;;
esac

if [ "${1:-}" = redis-server ]; then
	if [ "$(id -u)" = 0 ]; then
		find . \! -user redis -exec chown redis '{}' +
		exec setpriv --reuid=redis --regid=redis --init-groups -- "$0" "$@"
	fi

	# Upstream compiles protected mode to be off by default; here it is an option that comes before the caller's
	# own, so that the caller's wins, and that is left out where a configuration file speaks of it.
	shift
	case "${1:-}" in
	'' | -*) set -- redis-server --protected-mode no "$@" ;;
	*)
		config="$1"
		shift
		if grep -qi '^[[:space:]]*protected-mode' "$config" 2>/dev/null; then
			set -- redis-server "$config" "$@"
		else
			set -- redis-server "$config" --protected-mode no "$@"
		fi
		;;
	esac
fi

# Append-only files and dumps are nobody else's business, unless the caller has chosen a mask.
if [ "$(umask)" = 0022 ]; then
	umask 0077
fi

exec "$@"
