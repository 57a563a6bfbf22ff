#!/bin/sh
# Clients made for Apache Mesos, from the npm registry and as they are, against our master.
. "$(dirname "$0")/harness.sh"

clients=$srcdir/tests/clients
command -v node >/dev/null && command -v npm >/dev/null || skip "node and npm are not here"

# Into $place only: also npm's cache and logs.
install_clients() {
    mkdir "$place/npm" && cp "$clients/package.json" "$place/npm" && cd "$place/npm" &&
        npm_config_cache=$place/npm-cache npm_config_update_notifier=false \
            timeout 120 npm install --no-audit --no-fund --ignore-scripts --fetch-retries=1
}
(install_clients) >"$place/install" 2>&1 ||
    skip "the clients cannot be had: $(grep -v -i warn "$place/install" | head -n 1)"

client() {                           # NAME SCRIPT ARG...: in the background
    name=$1 script=$2
    shift 2
    (cd "$place/npm" && unset HOST && SYSTEM_TEST=$place exec node "$clients/$script" "$@") \
        >"$place/$name.out" 2>"$place/$name.log" &
    echo $! >"$place/$name.pid"
}
said() { grep -qE -e "$2" "$place/$1.out" || { cat "$place/$1.out" "$place/$1.log"; false; }; }

need start_master
need start_agent one
need wait_for agents_are 1
master=$(address_of master)

# ---- mesos-framework ----
client events operator_events.js "${master%:*}" "${master#*:}" 2
check "@dcos/mesos-client reads the version" wait_for said events '^version [0-9.]+$'
check "and has a stream of events" wait_for said events '^SUBSCRIBED 15$'
check "with a heartbeat" wait_for said events '^HEARTBEAT'

client framework mesos_framework.js "${master%:*}" "${master#*:}"
await framework
check "mesos-framework ends by itself" [ "$status" = 0 ]
check "it was subscribed" said framework '^subscribed .*-0000$'
check "it had a heartbeat" said framework '^heartbeat'
check "it launched tasks, and they ran and ended" said framework '^launched'
check "it reconciled them" said framework '^TASK_RUNNING .*sleeper.* REASON_RECONCILIATION$'
check "it killed one" said framework '^TASK_KILLED .*sleeper'
check "it acknowledged every update" said framework '^torn down, acknowledged 13$'
check "the master took each of them" \
    metric_is master master/valid_status_update_acknowledgements 13.0
check "none was invalid" metric_is master master/invalid_status_update_acknowledgements 0.0

# ---- the events of it, and of a batch ----
printf 'true\n' >"$place/batch"
check "a batch runs" sh -c "SYSTEM_TEST='$place' '$builddir/mesos-lite-framework' \
    --master='$master' --cpus=0.1 --mem=16 '$place/batch'"
await events
check "@dcos/mesos-client ends after the second framework" [ "$status" = 0 ]
check "it saw the frameworks come" said events '^FRAMEWORK_ADDED npm$'
check "it saw the tasks come" said events '^TASK_ADDED npm\.sleeper-1\.'
check "it saw them run" said events '^TASK_UPDATED TASK_RUNNING npm\.sleeper-3\.'
check "it saw them end" said events '^TASK_UPDATED TASK_FINISHED npm\.quick-1\.'
check "it saw one killed" said events '^TASK_UPDATED TASK_KILLED npm\.sleeper-'
check "it saw the frameworks go" said events '^FRAMEWORK_REMOVED npm$'
finish
