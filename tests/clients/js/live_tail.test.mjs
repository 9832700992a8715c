// StartLiveTail of SDK v3: a new line is there within 300 ms, over three groups, with a pattern.
import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';
import {CloudWatchLogsClient, CreateLogGroupCommand, CreateLogStreamCommand, PutLogEventsCommand, StartLiveTailCommand}
  from '@aws-sdk/client-cloudwatch-logs';
import {settings, startServer} from './server.mjs';

let server, logs;
before(async () => {
  server = await startServer();
  logs = new CloudWatchLogsClient({...settings(server, '111122223333'), disableHostPrefix: true});
});
after(() => server.stop());

test('StartLiveTail', async () => {
  const groups = ['/a', '/b', '/c'];
  for (const logGroupName of groups) {
    await logs.send(new CreateLogGroupCommand({logGroupName}));
    await logs.send(new CreateLogStreamCommand({logGroupName, logStreamName: 's'}));
  }
  const put = (logGroupName, ...messages) => logs.send(new PutLogEventsCommand({
    logGroupName, logStreamName: 's', logEvents: messages.map(message => ({timestamp: Date.now(), message}))}));
  const abort = new AbortController();
  const {responseStream} = await logs.send(new StartLiveTailCommand({
    logGroupIdentifiers: groups.map(group => `arn:aws:logs:us-east-1:111122223333:log-group:${group}`),
    logEventFilterPattern: '{ $.level = "ERROR" }'}), {abortSignal: abort.signal});
  const waiting = new Map(), seen = [];
  let started, idle = 0;
  const reading = (async () => {
    try {
      for await (const event of responseStream) {
        if (event.sessionStart) started = event.sessionStart;
        for (const result of event.sessionUpdate?.sessionResults ?? []) {
          seen.push(result.message);
          waiting.get(JSON.parse(result.message).id)?.(Date.now());
        }
        if (event.sessionUpdate?.sessionResults?.length === 0) idle++;
      }
    } catch (e) {
      if (!abort.signal.aborted) throw e;
    }
  })();
  const late = [];
  for (let i = 0; i < 9; i++) {
    const arrived = new Promise(resolve => waiting.set(i, resolve));
    const begun = Date.now();
    await put(groups[i % 3], JSON.stringify({level: 'INFO', id: 100 + i}), JSON.stringify({level: 'ERROR', id: i}));
    late.push(await arrived - begun);
  }
  assert.ok(started.sessionId && started.logGroupIdentifiers.length === 3);
  late.sort((a, b) => a - b);
  assert.ok(late[4] < 300, `milliseconds: ${late}`);
  assert.ok(seen.every(message => JSON.parse(message).level === 'ERROR'));
  while (idle === 0) await new Promise(resolve => setTimeout(resolve, 50));  // an update a second, also without lines
  abort.abort();
  await reading;
});
