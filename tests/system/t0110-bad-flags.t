#!/bin/sh
# Wrong flags: each error is a sentence that says what would be right.
. "$(dirname "$0")/harness.sh"

agent_program=$builddir/mesos-lite-agent
master_program=$builddir/mesos-lite-master

refuses_agent() {                    # WORDS FLAG...
    words=$1
    shift
    refuses "$words" "$agent_program" --master=127.0.0.1:1 --work_dir="$place/a" "$@"
}

refuses_master() {
    words=$1
    shift
    refuses "$words" "$master_program" --work_dir="$place/m" "$@"
}

check "the master names the flag that an unknown one may mean" \
    refuses_master 'wrok_dir.*work_dir' --wrok_dir=/tmp
check "the agent names the flag that an unknown one may mean" \
    refuses_agent 'atributes.*attributes' --atributes=rack:1
check "a master without --work_dir says so" refuses 'work_dir' "$master_program" --port=0
check "an agent without --master says so" \
    refuses 'master' "$agent_program" --work_dir="$place/a" --port=0
check "an agent without --work_dir says so" \
    refuses 'work_dir' "$agent_program" --master=127.0.0.1:1 --port=0
check "a word that is no flag is named" refuses_master 'surplus' surplus
check "a port that is too large is told the range" refuses_master 'port.*65535' --port=65536
check "a port that is no number is named" refuses_agent "port.*'?http'?" --port=http
check "a duration without a unit is told the form" \
    refuses_master 'agent_ping_timeout.*(secs|unit)' --agent_ping_timeout=15
check "a duration below its least is told the range" \
    refuses_master 'agent_reregister_timeout.*from 600' --agent_reregister_timeout=1secs
check "an --ip that is none is named" refuses_master "ip.*here" --ip=here
check "an unknown --registry is told the known ones" \
    refuses_master 'registry.*sqlite.*in_memory' --registry=etcd
check "an unknown --log_format is told the known ones" \
    refuses_agent 'log_format.*glog.*json' --log_format=xml
check "an unknown --log level is named" refuses_agent "log.*loud" --log=loud

check "a resource that is no number: the place is named" \
    refuses_agent "resources.*cpus" --resources='mem:64;cpus:four'
check "a resource without a value: the place is named" \
    refuses_agent "resources.*mem" --resources='cpus:4;mem'
check "a range that ends before it begins is named" \
    refuses_agent "resources.*ports" --resources='ports:[32000-31000]'
check "a negative amount is named" refuses_agent "resources.*cpus" --resources='cpus:-1'
check "attributes of no form are named" refuses_agent 'attributes.*rack' --attributes='rack'

: >"$place/file"
check "a work_dir below a file cannot be made, says the agent" \
    refuses "work_dir.*$place/file" "$agent_program" --master=127.0.0.1:1 --port=0 \
    --work_dir="$place/file/agent"
check "a work_dir below a file cannot be made, says the master" \
    refuses "work_dir" "$master_program" --port=0 --work_dir="$place/file/master"
check "a work_dir in /proc cannot be written, says the agent" \
    refuses "work_dir.*/proc" "$agent_program" --master=127.0.0.1:1 --port=0 --work_dir=/proc/agent
check "a work_dir that is not absolute is below the folder where we are" \
    refuses "work_dir.*$place/file/agent" sh -c "cd '$place' && exec '$agent_program' \
        --master=127.0.0.1:1 --port=0 --work_dir=file/agent"
check "an --address_file that cannot be written is named" \
    refuses_master 'address_file' --address_file="$place/file/address"

need start_master
need start_agent agent
taken=$(address_of master)
check "a port in use is named by the master" refuses_master "${taken#*:}.*in use" --port="${taken#*:}"
check "a port in use is named by the agent" refuses_agent "${taken#*:}.*in use" --port="${taken#*:}"
check "a work_dir of a running agent is refused" \
    refuses "work_dir.*in use by another agent" "$agent_program" --master="$taken" --port=0 \
    --work_dir="$place/agent"
check "a work_dir of a running master is refused" \
    refuses "registry|work_dir|in use|locked" "$master_program" --port=0 --work_dir="$place/master"
check "the agent still runs" agents_are 1

stop agent
check "other attributes than before: the agent says how to begin anew" \
    refuses "rack|remove" "$agent_program" --master="$taken" --port=0 --attributes=rack:1 \
    --work_dir="$place/agent" --resources=cpus:1

# An agent without its master goes on, and says so.
need start_node nameless mesos-lite-agent --master=no.such.host.invalid:5050 \
    --registration_backoff_factor=10ms
check "an agent says that its master's name does not resolve" \
    wait_for log_has nameless 'no.such.host.invalid'
check "it goes on" get nameless /health
need start_node mute mesos-lite-agent --master=127.0.0.1:1 --registration_backoff_factor=10ms
check "an agent says that its master does not answer" wait_for log_has mute '^[WE].*127.0.0.1:1'
check "it goes on, too" get mute /health
finish
