"""A quicker ``pg_ctl`` for the first start of the ``postgres`` image.

The image's entrypoint runs ``pg_ctl -w start`` and ``pg_ctl -w stop`` for its temporary server. Each is done in 20 ms,
but ``pg_ctl`` looks only every 100 ms, and the two make a fifth of the whole start. A shell function of the same name,
which bash takes from the environment, starts the real one and looks every 10 ms at what it looks at itself: the file
``postmaster.pid``. Whatever it does not expect (another action, a server that runs already, one that does not start, a
server before 10, whose file does not say "ready") is the real one's alone. An entrypoint that is no bash script never
knows.
"""

from __future__ import annotations

VARIABLE = "BASH_FUNC_pg_ctl%%"
"""How bash names an exported function."""

FUNCTION = """() {
    local action='' data="${PGDATA-}" pidfile real status i
    case " $* " in
        *" -w start "*) action=start ;;
        *" -w stop "*) action=stop ;;
    esac
    for ((i = 1; i < $#; i += 1)); do
        if [[ "${!i}" == -D ]]; then i=$((i + 1)); data="${!i}"; fi
    done
    pidfile="$data/postmaster.pid"
    if [[ "$action" == start && ! -e "$pidfile" || "$action" == stop && -e "$pidfile" ]]; then
        command pg_ctl "$@" &
        real=$!
        while kill -0 "$real" 2>/dev/null; do
            status=()
            if [[ "$action" == start ]]; then
                { mapfile -t -s 7 -n 1 status <"$pidfile"; } 2>/dev/null || :
            fi
            if [[ "$action" == stop && ! -e "$pidfile" || "${status[0]-}" == ready* ]]; then
                { kill "$real" && wait "$real"; } 2>/dev/null || :
                return 0
            fi
            sleep 0.01
        done
        wait "$real"
    else
        command pg_ctl "$@"
    fi
}"""
