#!/bin/sh
# Tasks of all kinds, right and wrong: custom executors, kills, offers, sandboxes.
. "$(dirname "$0")/harness.sh"

probe() {                            # runs the script on stdin
    SYSTEM_TEST=$place timeout $deadline "$builddir/tests/system/probe_framework" "$(address_of master)" \
        >"$place/statuses" 2>&1
}

says() { grep -E -e "$1" "$place/statuses" || { cat "$place/statuses"; false; }; }
never_says() { ! grep -E -e "$1" "$place/statuses"; }
says_in_order() {                    # ID STATE...
    id=$1
    shift
    [ "$(sed -n "s/^$id \(TASK_[A-Z]*\) .*/\1/p" "$place/statuses" | paste -sd' ' -)" = "$*" ] ||
        { cat "$place/statuses"; false; }
}

sandbox_of() { echo "$place"/agent/slaves/latest/frameworks/*/executors/"$1"/runs/latest; }
example=$builddir/tests/system/example_executor

need start_master
need start_agent agent
need wait_for agents_are 1

# ---- one command each ----

mkfifo "$place/polite" "$place/stubborn"
probe <<EOF
task fine
    env COLOUR=blue
    env PATH=/usr/bin:/bin
    shell env | sort
task greedy
    resources cpus:100;mem:32
    shell true
launch_anyway
wait fine
wait greedy
task program
    program echo
    argument echo
    argument \$HOME; two  blanks
task missing
    program /no/such/program
task unknown
    program no-such-program
task empty
    program
task stranger
    user no-such-user
    shell true
task silent
    shell
launch
wait missing
wait unknown
wait silent
task offer
    shell true
twice
task polite
    grace 20
    shell trap 'exit 7' TERM; echo >$place/polite; while :; do sleep 0.05; done
task stubborn
    grace 0.1
    shell trap '' TERM; echo >$place/stubborn; while :; do sleep 0.05; done
launch
task trapped
    shell cat $place/polite; cat $place/stubborn
launch
wait trapped
kill polite
kill stubborn
EOF
check "the probe's script ran" [ $? = 0 ]
check "a command starts, runs and finishes" \
    says_in_order fine TASK_STARTING TASK_RUNNING TASK_FINISHED
check "a task that asks for more than its offer is told what there is" \
    says '^greedy TASK_ERROR REASON_TASK_INVALID .*cpus.*:100.*more than available cpus'
check "a program gets its arguments as they are" \
    sh -c "printf '%s\n' '\$HOME; two  blanks' | diff - $(sandbox_of program)/stdout"
check "a program that is not there is named" \
    says "^missing TASK_FAILED .*/no/such/program.*No such file"
check "so is one that is not in PATH" says "^unknown TASK_FAILED .*no-such-program.*No such file"
check "neither is said to run" never_says '^(missing|unknown) TASK_FINISHED'
check "an empty program is refused with a reason" says '^empty TASK_(FAILED|ERROR) REASON_[A-Z_]+ .{10}'
check "an empty shell command finishes" says '^silent TASK_FINISHED'
check "an unknown user is named" \
    says '^stranger TASK_FAILED REASON_CONTAINER_LAUNCH_FAILED .*no-such-user'
check "an offer can be accepted once" says '^offer TASK_FINISHED'
check "the second time it is invalid" says '^offer-again TASK_DROPPED REASON_INVALID_OFFERS .*Offer'
check "a command that ends itself in its grace is killed with its own status" \
    says '^polite TASK_KILLED .*status 7'
check "one that does not is killed by force" says '^stubborn TASK_KILLED .*Killed'

# ---- the sandbox ----

sandbox=$(cd "$(sandbox_of fine)" && pwd -P)
environment() { grep -xE -e "$1" "$sandbox/stdout" || { cat "$sandbox/stdout"; false; }; }
check "the environment knows the sandbox" environment "MESOS_SANDBOX=$sandbox"
check "and by its other name" environment "MESOS_DIRECTORY=$sandbox"
check "and the task's executor" environment 'MESOS_EXECUTOR_ID=fine'
check "and the framework" environment 'MESOS_FRAMEWORK_ID=.*-0000'
check "and the agent" environment 'MESOS_SLAVE_ID=.*-S0'
check "and where that is" environment "MESOS_AGENT_ENDPOINT=$(address_of agent)"
check "and its process" environment "MESOS_SLAVE_PID=slave\(1\)@$(address_of agent)"
check "and that it survives its agent" environment 'MESOS_CHECKPOINT=1'
check "and its own variables" environment 'COLOUR=blue'
check "which replace inherited ones" environment 'PATH=/usr/bin:/bin'
check "the sandbox's path is the one of Mesos" sh -c "echo '$sandbox' | grep -qE \
    '^$place/agent/slaves/[^/]*-S0/frameworks/[^/]*-0000/executors/fine/runs/[0-9a-f-]{36}\$'"
check "nobody else may enter it" [ "$(stat -c %a "$sandbox")" = 750 ]
check "the output can be read over HTTP" \
    sh -c "curl -sf 'http://$(address_of agent)/files/read?path=$sandbox/stdout&offset=0' |
        grep -q COLOUR=blue"

# ---- custom executors ----

probe <<EOF
task first
    data echo out of first
    executor example
    program $example
    resources cpus:0.1;mem:32
task second
    data exit 4
    executor example
    program $example
    resources cpus:0.1;mem:32
task third
    data sleep 1000
    executor example
    program $example
    resources cpus:0.1;mem:32
launch
wait first
wait second
message third how many
kill third
task nobody
    executor nobody
    program /no/such/executor
launch
task mute
    executor mute
    shell exit 9
launch
EOF
check "the probe's script of custom executors ran" [ $? = 0 ]
check "a custom executor runs a task" says_in_order first TASK_RUNNING TASK_FINISHED
check "and one that fails" says '^second TASK_FAILED .*exit status 4'
check "it answers messages" says '^example says 1'
check "it kills a task" says_in_order third TASK_RUNNING TASK_KILLED
check "all of them ran in one process" \
    [ "$(echo "$place"/agent/slaves/latest/frameworks/*/executors/example/runs/*-* | wc -w)" = 1 ]
check "what its tasks print is in its sandbox" grep -q 'out of first' "$(sandbox_of example)/stdout"
check "an executor that is not there is named" says '^nobody TASK_FAILED REASON_[A-Z_]* .*/no/such/executor'
check "one that ends before it registers fails its task, with its status" \
    says '^mute TASK_FAILED REASON_EXECUTOR_TERMINATED Executor exited with status 9'
check "the framework hears that it has ended" says '^mute ended'
check "nothing is in use any more" wait_for metric_is agent slave/cpus_used 0.0
finish
