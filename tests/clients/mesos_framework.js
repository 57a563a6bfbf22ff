/* mesos_framework.js - the npm package mesos-framework, as it is, against a master of ours
 *
 *     node mesos_framework.js HOST PORT        in a folder with node_modules
 *
 * Launches three tasks that sleep and two that end at once, reconciles, kills a sleeper, and tears
 * itself down.  The package decides what it launches in which offer, and acknowledges the updates
 * by itself; here only what comes is written down, a line each.
 */
'use strict';

const os = require('os');
const path = require('path');
const { createRequire } = require('module');
const load = createRequire(path.join(process.cwd(), 'package.json'));
const { Scheduler, Mesos } = load('mesos-framework');
const mesos = Mesos.getMesos();

const DEADLINE_SECONDS = 60;

function task(command, instances, priority) {
    return {
        priority: priority, instances: instances, allowScaling: false,
        resources: { cpus: 0.1, mem: 32, ports: 0, disk: 0 },
        commandInfo: new mesos.CommandInfo(null, new mesos.Environment([]), true, command, null, null),
    };
}

const scheduler = new Scheduler({
    masterUrl: process.argv[2], port: process.argv[3], useZk: false,
    frameworkName: 'npm', user: os.userInfo().username, frameworkFailoverTimeout: 60,
    /* In seconds.  The package's own 10 are less than the 15 between two heartbeats. */
    masterConnectionTimeout: 40,
    restartStates: [], logging: { path: '.', fileName: 'client.log', level: 'error' },
    tasks: { sleeper: task('sleep 1000', 3, 1), quick: task('true', 2, 2) },
});

const states = {};           /* task id -> its last state */
let stage = 'launch', reconciled = 0, updates = 0, acknowledged = 0;

function say(line) {
    console.log(line);
}

function ids(kind, state) {
    return Object.keys(states).filter((id) => id.includes('.' + kind + '-') && states[id] === state);
}

function go_on() {
    if (stage === 'launch' && ids('sleeper', 'TASK_RUNNING').length === 3 &&
        ids('quick', 'TASK_FINISHED').length === 2) {
        stage = 'reconcile';
        say('launched');
        scheduler.reconcile();
    } else if (stage === 'reconcile' && reconciled === 3) {
        stage = 'kill';
        say('reconciled');
        scheduler.kill(ids('sleeper', 'TASK_RUNNING')[0], scheduler.launchedTasks[0].runtimeInfo.agentId);
    } else if (stage === 'kill' && ids('sleeper', 'TASK_KILLED').length === 1) {
        stage = 'acknowledge';
        say('killed');
    }
    if (stage === 'acknowledge' && acknowledged === updates) {
        stage = 'teardown';
        scheduler.teardown();
    }
}

scheduler.on('ready', () => scheduler.subscribe());
scheduler.on('subscribed', (what) => say('subscribed ' + what.frameworkId));
scheduler.on('heartbeat', () => say('heartbeat'));
scheduler.on('sent_acknowledge', () => {
    acknowledged++;
    go_on();
});
scheduler.on('update', (update) => {
    const status = update.status;

    if (status.uuid)
        updates++;
    if (status.reason === 'REASON_RECONCILIATION')
        reconciled++;
    states[status.task_id.value] = status.state;
    say(status.state + ' ' + status.task_id.value + ' ' + (status.reason || '-'));
    go_on();
});
scheduler.on('error', (error) => {
    const text = error.message || String(error);

    if (stage === 'teardown' && /was closed/.test(text)) {
        say('torn down, acknowledged ' + acknowledged);
        process.exit(0);
    }
    say('error ' + text);
    process.exit(1);
});
setTimeout(() => {
    say('error: still at ' + stage + ' after ' + DEADLINE_SECONDS + ' s: ' + JSON.stringify(states));
    process.exit(1);
}, DEADLINE_SECONDS * 1000);
