#!/bin/sh
# What a task's URIs bring into its sandbox, and why a fetch fails.
. "$(dirname "$0")/harness.sh"

probe() {                            # runs the script on stdin
    SYSTEM_TEST=$place timeout $deadline "$builddir/tests/system/probe_framework" "$(address_of master)" \
        >"$place/statuses" 2>&1
}

says() { grep -E -e "$1" "$place/statuses" || { cat "$place/statuses"; false; }; }

sandbox_of() { echo "$place"/agent/slaves/latest/frameworks/*/executors/"$1"/runs/latest; }
stdout_is() { printf "$2" | diff - "$(sandbox_of "$1")/stdout"; }

need start_master
need start_agent agent
need wait_for agents_are 1

printf 'a file\n' >"$place/file"
printf '#!/bin/sh\necho program "$@"\n' >"$place/program"
mkdir "$place/packed" "$place/packed/deep"
echo 'from the archive' >"$place/packed/deep/text"
tar -C "$place/packed" -czf "$place/archive.tar.gz" deep

probe <<EOF
task file
    uri file://$place/file
    shell cat file
task named
    uri $place/file
    output folder/other
    shell cat folder/other
task program
    uri file://$place/program
    executable
    shell ./program runs
task archive
    uri file://$place/archive.tar.gz
    shell cat deep/text
task packed
    uri file://$place/archive.tar.gz
    no_extract
    shell ls *
task missing
    uri file://$place/no-such-file
    shell true
task half
    uri file://$place/file
    uri file://$place/no-such-file
    shell true
task escapes
    uri file://$place/file
    output ../file
    shell true
task scheme
    uri gopher://example.com/file
    shell true
task closed
    uri http://127.0.0.1:1/file
    shell true
launch
EOF
check "the probe's script ran" [ $? = 0 ]
check "a file is copied" stdout_is file 'a file\n'
check "it may have another name, in a folder" stdout_is named 'a file\n'
check "it may be a program" stdout_is program 'program runs\n'
check "an archive is extracted" stdout_is archive 'from the archive\n'
check "unless it shall not be" stdout_is packed 'archive.tar.gz\nstderr\nstdout\n'
check "a missing file: the task fails, and says which and why" \
    says "^missing TASK_FAILED REASON_CONTAINER_LAUNCH_FAILED .*$place/no-such-file.*No such file"
check "one that is missing of two: the same" \
    says "^half TASK_FAILED REASON_CONTAINER_LAUNCH_FAILED .*$place/no-such-file.*No such file"
check "it never ran" sh -c "! grep -q '^missing TASK_RUNNING' '$place/statuses'"
check "no output_file may leave the sandbox" \
    says '^escapes TASK_FAILED REASON_CONTAINER_LAUNCH_FAILED .*\.\./file.*sandbox'
check "an unknown scheme is named" \
    says '^scheme TASK_FAILED REASON_CONTAINER_LAUNCH_FAILED .*gopher'
check "a server that does not answer is named" \
    says '^closed TASK_FAILED REASON_CONTAINER_LAUNCH_FAILED .*http://127.0.0.1:1/file'

# The agent's own files, by HTTP.
served=$(sandbox_of file)/stdout
url="http://$(address_of agent)/files/download?path=$served"
probe <<EOF
task http
    uri $url
    output fetched
    shell cat fetched
task gone
    uri http://$(address_of agent)/files/download?path=/no/such/file
    output fetched
    shell true
launch
EOF
check "a URI may be of HTTP" stdout_is http 'a file\n'
check "a server's refusal is told" \
    says '^gone TASK_FAILED REASON_CONTAINER_LAUNCH_FAILED .*(400|403|404)'
# missing, half, closed, gone; what is refused at once is not fetched.
check "fetches that failed are counted" \
    metric_is agent containerizer/fetcher/task_fetches_failed 4.0
check "and those that did not" [ "$(metric agent containerizer/fetcher/task_fetches_succeeded)" != 0.0 ]
check "nothing is in use any more" wait_for metric_is agent slave/cpus_used 0.0
finish
