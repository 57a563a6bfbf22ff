# harness.sh - what the scripts of tests/system share: real programs, and TAP
#
# A script reads it first, says `check SENTENCE COMMAND...` for each thing that
# must hold, and ends with `finish`.  All files are in a folder of its own,
# $place; daemon NAME logs to $place/NAME.log.  Whatever a script starts has
# SYSTEM_TEST=$place in its environment, and so have the launchers, supervisors
# and tasks that come of it: that is how none of them stays behind, whatever
# happens.  wait_for is the only place that polls.

: "${srcdir=$(cd "$(dirname "$0")/../.." && pwd)}" "${builddir=$srcdir/build}"
place=$(mktemp -d "${TMPDIR:-/tmp}/mesos-lite.XXXXXX") || exit 99
checks=0 failures=0 deadline=30
no_proxy='*'
LC_ALL=C
unset MESOS_MASTER MESOS_WORK_DIR
export no_proxy LC_ALL

# ---- TAP ----

check() {
    sentence=$1
    shift
    checks=$((checks + 1))
    if "$@" >"$place/check" 2>&1; then
        echo "ok $checks - $sentence"
    else
        failures=$((failures + 1))
        echo "not ok $checks - $sentence"
        echo "# failed: $*"
        tail -n 20 "$place/check" | sed 's/^/#   /'
    fi
}

need() {                             # COMMAND...: without which nothing else makes sense
    "$@" >"$place/check" 2>&1 && return
    echo "Bail out! this failed: $*"
    sed 's/^/#   /' "$place/check"
    failures=1
    exit 0
}

skip() {                             # REASON: the whole script
    echo "1..0 # SKIP $1"
    exit 0
}

# By their environment: also those that nobody is the parent of any more.
processes() {
    grep -lzxF "SYSTEM_TEST=$place" /proc/[0-9]*/environ 2>/dev/null | cut -d/ -f3
}

no_process_is_left() {
    ! ps -o pid,ppid,stat,args -p "$(processes | paste -sd, -)" 2>/dev/null
}

launchers() {                        # those that agents have started and that live
    for pid in $(sed -n 's/.*launcher started as process //p' "$place"/*.log 2>/dev/null); do
        processes | grep -x "$pid"
    done
}

stop_daemons() {
    for pid_file in "$place"/*.pid; do
        [ -f "$pid_file" ] && stop "$(basename "$pid_file" .pid)"
    done
}

# Launchers end by themselves, but take their time; one that has runs stays.
finish() {
    stop_daemons
    for pid in $(launchers); do
        kill "$pid"
    done
    check "nothing is left running" wait_for no_process_is_left
    check "no daemon died of a failed promise" \
        sh -c '! grep -nE "CHECK.*failed|Sanitizer|runtime error" "$@"' - "$place"/*.log
    echo "1..$checks"
    exit 0
}

clean_up() {
    if [ $failures -gt 0 ]; then
        for log in "$place"/*.log; do
            echo "# ---- the end of $(basename "$log")"
            tail -n 30 "$log" | cut -c1-200 | sed 's/^/# /'
        done
    fi
    while left=$(processes) && [ -n "$left" ]; do
        kill -9 $left 2>/dev/null
    done
    rm -rf "$place"
}
trap clean_up EXIT
trap 'exit 99' HUP INT TERM

# ---- waiting ----

# COMMAND...: until it succeeds, half a minute at most; then it is run once more, for
# what it prints.
wait_for() {
    until=$(($(date +%s) + deadline))
    while ! "$@" >/dev/null 2>&1; do
        [ "$(date +%s)" -lt $until ] || {
            echo "still not after $deadline s: $*"
            "$@"
            return
        }
        sleep 0.05
    done
}

# ---- daemons ----

pid_of() { cat "$place/$1.pid"; }
address_of() { cat "$place/$1.address"; }
is_running() { kill -0 "$(pid_of "$1")" 2>/dev/null; }
has_ended() { ! is_running "$1"; }
listens_or_ended() { [ -s "$place/$1.address" ] || has_ended "$1"; }
log_has() { grep -q -e "$2" "$place/$1.log"; }

# NAME PROGRAM ARG...: in the background.
start() {
    name=$1 program=$2
    shift 2
    SYSTEM_TEST=$place "$builddir/$program" "$@" >>"$place/$name.out" 2>>"$place/$name.log" &
    echo $! >"$place/$name.pid"
}

# A master or agent that is started again has its old port.
start_node() {
    name=$1 program=$2 port=0
    shift 2
    [ -f "$place/$name.address" ] && port=$(address_of "$name") && port=${port#*:}
    rm -f "$place/$name.address"
    start "$name" "$program" --port="$port" --work_dir="$place/$name" \
        --address_file="$place/$name.address" "$@"
    wait_for listens_or_ended "$name" && is_running "$name"
}

start_master() { start_node master mesos-lite-master "$@"; }

start_agent() {                      # NAME ARG...
    name=$1
    shift
    start_node "$name" mesos-lite-agent --master="$(address_of master)" \
        --resources='cpus:4;mem:1024;disk:1024;ports:[31000-31010]' \
        --registration_backoff_factor=10ms "$@"
}

# Ends NAME; $status is then its exit status.
end_with() {
    pid=$(pid_of "$2")
    rm -f "$place/$2.pid"
    kill -"$1" "$pid" 2>/dev/null
    wait "$pid" 2>/dev/null
    status=$?
}
stop() { end_with TERM "$1"; }
kill9() { end_with KILL "$1"; }

# Waits for the end of NAME, which comes by itself.
await() {
    pid=$(pid_of "$1")
    wait_for has_ended "$1" || return
    rm -f "$place/$1.pid"
    wait "$pid"
    status=$?
}

# ---- asking them ----

get() { curl -sS -f -m 20 "http://$(address_of "$1")$2"; }     # NAME PATH
metric() { get "$1" /metrics/snapshot | tr ',{}' '\n' | sed -n "s|^\"$2\":||p"; }
metric_is() { [ "$(metric "$1" "$2")" = "$3" ] || { metric "$1" "$2"; false; }; }
agents_are() { metric_is master master/slaves_active "$1.0"; }

# COMMAND... fails with status 1 or 2, and says each of the words (extended
# regular expressions; before --) in one line on stderr.
refuses() {
    words=$1
    shift
    SYSTEM_TEST=$place "$@" >/dev/null 2>"$place/refusal"
    status=$?
    cat "$place/refusal"
    [ $status = 1 ] || [ $status = 2 ] && grep -qE -e "$words" "$place/refusal"
}
