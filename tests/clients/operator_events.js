/* operator_events.js - the npm package @dcos/mesos-client, as it is, against a master of ours
 *
 *     node operator_events.js HOST PORT COUNT      in a folder with node_modules
 *
 * Asks for the version, then reads the operator's event stream, and writes a line for each event;
 * after the COUNT-th FRAMEWORK_REMOVED it ends.  The package is made for browsers: what it needs
 * of one, an XMLHttpRequest whose response grows, is below.
 */
'use strict';

const http = require('http');
const path = require('path');
const { createRequire } = require('module');
const load = createRequire(path.join(process.cwd(), 'package.json'));

const DEADLINE_SECONDS = 60;

class XMLHttpRequest {
    constructor() {
        this.listeners = {};
        this.headers = {};
        this.response = '';
        this.responseType = '';
        this.status = 0;
        this.statusText = '';
    }

    addEventListener(name, listener) {
        (this.listeners[name] = this.listeners[name] || []).push(listener);
    }

    tell(name) {
        (this.listeners[name] || []).forEach((listener) => listener());
    }

    open(method, url) {
        this.method = method;
        this.url = url;
    }

    setRequestHeader(name, value) {
        this.headers[name] = value;
    }

    send(body) {
        this.request = http.request(this.url, { method: this.method, headers: this.headers }, (answer) => {
            this.status = answer.statusCode;
            this.statusText = answer.statusMessage;
            answer.setEncoding('utf8');
            answer.on('data', (text) => {
                this.response += text;
                this.tell('progress');
            });
            answer.on('end', () => this.tell('load'));
            answer.on('error', () => this.tell('error'));
        });
        this.request.on('error', () => this.tell('error'));
        this.request.end(body);
    }

    abort() {
        this.request.destroy();
        this.tell('abort');
    }
}
global.XMLHttpRequest = XMLHttpRequest;

const { request, stream } = load('@dcos/mesos-client');
const [host, port, count] = process.argv.slice(2);
const url = 'http://' + host + ':' + port + '/api/v1';
let removed = 0;

function fail(what) {
    console.log('error ' + what);
    process.exit(1);
}

/* What tells one event from another of its type. */
const details = {
    SUBSCRIBED: (e) => e.subscribed.heartbeat_interval_seconds,
    TASK_ADDED: (e) => e.task_added.task.task_id.value,
    TASK_UPDATED: (e) => e.task_updated.state + ' ' + e.task_updated.status.task_id.value,
    AGENT_ADDED: (e) => e.agent_added.agent.agent_info.hostname,
    AGENT_REMOVED: (e) => e.agent_removed.agent_id.value,
    FRAMEWORK_ADDED: (e) => e.framework_added.framework.framework_info.name,
    FRAMEWORK_UPDATED: (e) => e.framework_updated.framework.framework_info.name,
    FRAMEWORK_REMOVED: (e) => e.framework_removed.framework_info.name,
    HEARTBEAT: () => '',
};

function on_event(text) {
    const event = JSON.parse(text);

    if (!details[event.type])
        fail('an event of type ' + event.type);
    console.log(event.type + ' ' + details[event.type](event));
    if (event.type === 'FRAMEWORK_REMOVED' && ++removed === Number(count))
        process.exit(0);
}

request({ type: 'GET_VERSION' }, url).subscribe(
    (answer) => console.log('version ' + JSON.parse(answer).get_version.version_info.version),
    (error) => fail('GET_VERSION: ' + error.code + ' ' + error.response));
stream({ type: 'SUBSCRIBE' }, url).subscribe(
    on_event, (error) => fail('SUBSCRIBE: ' + error.code + ' ' + error.response), () => fail('the stream ended'));
setTimeout(() => fail('still not after ' + DEADLINE_SECONDS + ' s'), DEADLINE_SECONDS * 1000);
