#!/bin/sh
# The v1 executor API: custom executors that speak HTTP, an agent that is killed under them.
. "$(dirname "$0")/harness.sh"

http_program=$builddir/tests/system/http_executor_program
api=/api/v1/scheduler
: >"$place/acknowledged"

# ---- a scheduler made of curl: one stream, and calls ----

subscribe() {
    SYSTEM_TEST=$place curl -sSN -D "$place/head" -H 'Content-Type: application/json' -d \
        '{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"'"$(id -un)"'","name":"by curl",
          "checkpoint":true,"failover_timeout":3600,"capabilities":[{"type":"PARTITION_AWARE"}]}}}' \
        "http://$(address_of master)$api" >"$place/events" 2>"$place/curl.log" &
    echo $! >"$place/curl.pid"
}

is_subscribed() { grep -q '"type":"SUBSCRIBED"' "$place/events"; }
framework() { sed -n 's/.*"framework_id":{"value":"\([^"]*\)".*/\1/p' "$place/events" | head -n 1; }

call() {                             # TYPE REST-OF-THE-CALL
    stream=$(sed -n 's/^Mesos-Stream-Id: \([^\r]*\).*/\1/p' "$place/head")
    curl -sS -m 20 -H 'Content-Type: application/json' -H "Mesos-Stream-Id: $stream" \
        -d '{"type":"'"$1"'","framework_id":{"value":"'"$(framework)"'"}'"$2"'}' \
        "http://$(address_of master)$api"
}

offers() {                           # that are neither used nor rescinded
    sed -n 's/.*"rescind":{"offer_id":{"value":"\([^"]*\)".*/\1/p' "$place/events" | grep . >>"$place/used"
    sed -n 's/.*"offers":\[{"id":{"value":"\([^"]*\)".*/\1/p' "$place/events" |
        grep -vxFf "$place/used"
}

accept() {                           # OPERATION: with all there is
    need wait_for offers
    offers >"$place/offers"
    cat "$place/offers" >>"$place/used"
    call ACCEPT ',"accept":{"offer_ids":['"$(sed 's/.*/{"value":"&"}/' "$place/offers" | paste -sd,)"'],
        "operations":['"$1"'],"filters":{"refuse_seconds":0}}'
}

amount() { printf '{"name":"%s","type":"SCALAR","scalar":{"value":%s}}' "$1" "$2"; }
small="[$(amount cpus 0.1),$(amount mem 32),$(amount disk 1)]"

executor() {                         # ID CALLS EVENTS
    printf '{"type":"CUSTOM","executor_id":{"value":"%s"},"resources":%s,
        "command":{"shell":false,"value":"%s","arguments":["%s","%s","%s"]}}' \
        "$1" "$small" "$http_program" "$http_program" "$2" "$3"
}

task() {                             # ID COMMAND [EXECUTOR]
    printf '{"name":"%s","task_id":{"value":"%s"},"agent_id":{"value":"%s"},"resources":[%s],
        %s"data":"%s"}' "$1" "$1" "$(agent_id)" "$(amount cpus 0.1)" "${3:+\"executor\":$3,}" \
        "$(printf %s "$2" | base64 -w 0)"
}

agent_id() { sed -n 's/.*"agent_id":{"value":"\([^"]*\)".*/\1/p' "$place/events" | head -n 1; }
launch() { accept '{"type":"LAUNCH","launch":{"task_infos":['"$1"']}}'; }
launch_group() {                     # EXECUTOR TASKS
    accept '{"type":"LAUNCH_GROUP","launch_group":{"executor":'"$1"',"task_group":{"tasks":['"$2"']}}}'
}

updates() {                          # "task state uuid-or-nothing"
    sed -n 's/.*"type":"UPDATE".*"task_id":{"value":"\([^"]*\)"},"state":"\([A-Z_]*\)".*"uuid":"\([^"]*\)".*/\1 \2 \3/p
        t
        s/.*"type":"UPDATE".*"task_id":{"value":"\([^"]*\)"},"state":"\([A-Z_]*\)".*/\1 \2/p' \
        "$place/events" | grep .     # which ends the last line, as the stream does not
}

acknowledge() {
    updates | while read -r task _ uuid; do
        [ -z "$uuid" ] || grep -qxF "$uuid" "$place/acknowledged" && continue
        call ACKNOWLEDGE ',"acknowledge":{"agent_id":{"value":"'"$(agent_id)"'"},
            "task_id":{"value":"'"$task"'"},"uuid":"'"$uuid"'"}'
        echo "$uuid" >>"$place/acknowledged"
    done
}

is() { acknowledge && updates | grep -q "^$1 $2"; }   # TASK STATE
once() { [ "$(updates | grep "^$1 $2" | sort -u | wc -l)" = 1 ]; }

sandbox() { echo "$place"/agent/slaves/latest/frameworks/*/executors/"$1"/runs/latest; }
prints() { [ "$(grep -c "^$2" "$(sandbox "$1")/stdout")" = "$3" ]; }   # EXECUTOR LINE TIMES
has_printed() { grep -q "^$2" "$(sandbox "$1")/stdout"; }
nothing_wrong() { ! grep -h wrong "$place"/agent/slaves/latest/frameworks/*/executors/*/runs/latest/stdout; }

echo none >"$place/used"
need start_master
need start_agent agent
need wait_for agents_are 1
subscribe
need wait_for is_subscribed
need wait_for offers

# ---- all mixes of media types ----

for calls in json protobuf; do
    for events in json protobuf; do
        id=$calls-$events
        launch "$(task "$id" 'sleep 0.01' "$(executor "$id" $calls $events)")"
        check "an executor that says $calls and hears $events runs a task" \
            wait_for is "$id" TASK_FINISHED
        check "whose updates come once" once "$id" TASK_RUNNING
        check "and are acknowledged to it" wait_for prints "$id" acknowledged 2
    done
done

# ---- the agent is killed ----

launch "$(task through 'sleep 2' "$(executor through json json)"),$(task during 'sleep 1.5; exit 3' \
    "$(executor through json json)"),$(task longer 'sleep 1000' "$(executor other protobuf json)")"
need wait_for is through TASK_RUNNING
need wait_for is during TASK_RUNNING
need wait_for is longer TASK_RUNNING
kill9 agent
check "tasks end while the agent is away" wait_for has_printed through 'ended through'
check "and the agent starts again" start_agent agent --executor_reregistration_timeout=15secs
check "what ended is told" wait_for is through TASK_FINISHED
check "and how" wait_for is during TASK_FAILED
check "once" once through TASK_FINISHED
check "each update was acknowledged once" wait_for prints through acknowledged 4
check "no task was started twice" prints through started 2
kill9 agent
need start_agent agent --executor_reregistration_timeout=15secs
call KILL ',"kill":{"task_id":{"value":"longer"}}'
check "a task that ran through two agents is killed by the third" wait_for is longer TASK_KILLED
check "nothing was wrong with what the agents said" nothing_wrong

# ---- groups ----

launch_group "$(executor group protobuf protobuf)" "$(task one 'sleep 0.1'),$(task two 'exit 2')"
check "a task of a group runs" wait_for is one TASK_FINISHED
check "and so does the other" wait_for is two TASK_FAILED
check "in one executor" prints group started 2
launch_group "$(executor group protobuf protobuf)" "$(task good 'sleep 0.1'),$(task ../bad 'sleep 0.1')"
check "one bad task fails its group" wait_for is good TASK_ERROR
check "and nothing of it starts" sh -c "! grep 'started good' '$(sandbox group)/stdout'"

# ---- the end of an executor ----

launch "$(task orphan 'sleep 1000' "$(executor mortal json json)")"
need wait_for is orphan TASK_RUNNING
kill -9 "$(sed -n 's/.*executor mortal .* runs as process \([0-9]*\).*/\1/p' "$place/agent.log")"
check "the tasks of an executor that is killed fail" wait_for is orphan TASK_FAILED
call SHUTDOWN ',"shutdown":{"executor_id":{"value":"group"},"agent_id":{"value":"'"$(agent_id)"'"}}'
check "an executor that is shut down ends" wait_for log_has agent 'executor group .* has ended'

# ---- who is no executor ----

refused() {                          # STATUS ANSWER CALL
    [ "$(curl -sS -m 20 -w ' %{http_code}' -H 'Content-Type: application/json' -d "$3" \
        "http://$(address_of agent)/api/v1/executor")" = "$2 $1" ]
}
stranger='"framework_id":{"value":"x"},"executor_id":{"value":"y"}'
check "a stranger cannot subscribe" refused 400 'Framework cannot be found' \
    '{"type":"SUBSCRIBE","subscribe":{},'"$stranger}"
check "nor one without a name" refused 400 \
    'Failed to convert JSON into Call protobuf: Missing required fields: executor_id, framework_id' \
    '{"type":"SUBSCRIBE","subscribe":{}}'
call TEARDOWN ''
check "with its framework everything ends" wait_for metric_is agent slave/cpus_used 0.0
finish
