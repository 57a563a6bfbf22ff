#!/bin/sh
# A batch of commands by mesos-lite-framework: outputs, job log, results, exit status.
. "$(dirname "$0")/harness.sh"

cpus=0.5
batch() {                            # WANTED-STATUS ARG...: runs $place/batch
    wanted=$1
    shift
    SYSTEM_TEST=$place timeout $deadline "$builddir/mesos-lite-framework" --master="$(address_of master)" \
        --cpus=$cpus --mem=32 "$@" "$place/batch" >"$place/stdout" 2>"$place/stderr"
    status=$?
    cat "$place/stderr"
    echo "status $status, wanted $wanted"
    [ $status = "$wanted" ]
}

stdout_is() { printf "$1" | diff - "$place/stdout"; }
stderr_has() { grep -q -e "$1" "$place/stderr"; }
result_is() { printf "$2" | diff - "$place/results/$1"; }

# Exitval, Signal and Command of a job.
joblog_says() {
    awk -F'\t' -v seq="$1" '$1 == seq { print $7, $8, $9 }' "$place/joblog" | grep -xF -e "$2" ||
        { cat "$place/joblog"; false; }
}

need start_master
need start_agent agent
need wait_for agents_are 1

cat >"$place/batch" <<'EOF'
# a comment, and an empty line

echo one
echo two
sh -c 'echo three; echo four >&2'
EOF
check "a batch that succeeds ends with status 0" batch 0 --keep-order
check "its outputs come in the order of the commands" stdout_is 'one\ntwo\nthree\n'
check "what went to stderr comes on stderr" stderr_has '^four$'
check "the summary counts them" stderr_has '3 jobs: 3 succeeded, 0 failed'
framework_is_told() { log_has master 'is told that it has been removed'; }
check "the master tells the framework that it is not needed any more" wait_for framework_is_told
check "nobody warns of a batch that went well" \
    sh -c '! grep "^[WE]" "$@"' - "$place/master.log" "$place/agent.log"

cat >"$place/batch" <<'EOF'
echo fine
echo partly; exit 3
no-such-command
kill -9 $$
seq 200000
true
EOF
check "a batch with failures ends with status 1" \
    batch 1 --keep-order --joblog="$place/joblog" --results="$place/results"
check "the failed ones are told with their exit status" stderr_has 'job 2 failed.*status 3'
check "the summary counts those that failed" stderr_has '6 jobs: 3 succeeded, 3 failed'
check "a success is in the job log" joblog_says 1 '0 0 echo fine'
check "so is an exit status" joblog_says 2 '3 0 echo partly; exit 3'
check "a command that is not found has status 127" joblog_says 3 '127 0 no-such-command'
check "a signal is in its own column" joblog_says 4 '0 9 kill -9 $$'
check "results: the output of a success" result_is 1/stdout 'fine\n'
check "results: the output of a failure" result_is 2/stdout 'partly\n'
check "results: what the shell said of the command that is not found" \
    grep -q 'no-such-command: not found' "$place/results/3/stderr"
check "results: a large output is whole" sh -c "seq 200000 | cmp - '$place/results/5/stdout'"
check "results: no output is an empty file" result_is 6/stdout ''

echo "test -e '$place/second' || { touch '$place/second'; exit 1; }" >"$place/batch"
check "a command that fails once succeeds with a retry" batch 0 --retries=1
check "the summary counts the retry" stderr_has '1 retried'

seq -f 'echo %g' 100 >"$place/batch"
cpus=0.1
check "100 commands run" batch 0 --keep-order
check "their outputs are in order" sh -c "seq 100 | cmp - '$place/stdout'"

echo 'echo "$MESOS_SANDBOX"; pwd' >"$place/batch"
check "a command runs in its sandbox" batch 0
check "and knows it" sh -c "[ \$(uniq '$place/stdout' | wc -l) = 1 ]"

: >"$place/batch"
check "a batch without commands is refused" batch 2
check "with a sentence that says so" stderr_has 'no commands'
check "the master has counted those that finished" metric_is master master/tasks_finished 108.0
check "nothing is in use any more" wait_for metric_is agent slave/cpus_used 0.0
finish
