// Logs, X-Ray and SNS through SDK v3.
import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';
import {after, before, test} from 'node:test';

import {CloudWatchLogs, paginateFilterLogEvents} from '@aws-sdk/client-cloudwatch-logs';
import {SNS} from '@aws-sdk/client-sns';
import {XRay} from '@aws-sdk/client-xray';

import {settings, startServer, until} from './server.mjs';

let server;
before(async () => { server = await startServer(); });
after(() => server?.stop());

test('logs: events, filters, a query', {timeout: 60_000}, async () => {
  const logs = new CloudWatchLogs(settings(server, '333333333333'));
  const logGroupName = '/demo', logStreamName = 's1', now = Date.now();
  await logs.createLogGroup({logGroupName});
  await assert.rejects(logs.createLogGroup({logGroupName}), {name: 'ResourceAlreadyExistsException', message: 'The specified log group already exists'});
  await logs.createLogStream({logGroupName, logStreamName});
  const messages = ['h\u00e9llo \u2713 "q"\n\u0001', JSON.stringify({level: 'ERROR', latency: 7}), 'three'];
  const put = await logs.putLogEvents({logGroupName, logStreamName, logEvents: messages.map((message, i) => ({timestamp: now + i, message}))});
  assert.ok(put.nextSequenceToken);
  assert.deepEqual((await logs.getLogEvents({logGroupName, logStreamName, startFromHead: true})).events.map(e => e.message), messages);
  const filtered = [];
  for await (const page of paginateFilterLogEvents({client: logs, pageSize: 1}, {logGroupName})) filtered.push(...page.events.map(e => e.message));
  assert.deepEqual(filtered, messages);
  const second = Math.floor(now / 1000);
  const {queryId} = await logs.startQuery({logGroupName, startTime: second - 60, endTime: second + 60, queryString: 'filter level = "ERROR" | fields latency'});
  const answer = await until(async () => { const a = await logs.getQueryResults({queryId}); return a.status === 'Complete' && a; });
  assert.deepEqual(answer.results[0].filter(c => c.field !== '@ptr'), [{field: 'latency', value: '7'}]);
  await assert.rejects(logs.startQuery({logGroupName, startTime: 0, endTime: 1, queryString: 'nonsense |'}), {name: 'MalformedQueryException'});
});

test('x-ray: a segment there and back', {timeout: 60_000}, async () => {
  const xray = new XRay(settings(server, '333333333333'));
  const now = Date.now() / 1000;
  const document = {trace_id: `1-${Math.floor(now).toString(16)}-${randomBytes(12).toString('hex')}`, id: randomBytes(8).toString('hex'), name: 'demo',
                    start_time: now - 1, end_time: now, annotations: {kind: 'js'}};
  const put = await xray.putTraceSegments({TraceSegmentDocuments: [JSON.stringify(document), '{']});
  assert.equal(put.UnprocessedTraceSegments.length, 1);
  const found = await xray.getTraceSummaries({StartTime: new Date((now - 60) * 1000), EndTime: new Date((now + 60) * 1000), FilterExpression: 'annotation.kind = "js"'});
  assert.deepEqual(found.TraceSummaries.map(t => t.Id), [document.trace_id]);
  assert.ok(found.ApproximateTime instanceof Date);
  const rules = await xray.getSamplingRules({});
  assert.equal(rules.SamplingRuleRecords[0].SamplingRule.RuleName, 'Default');
  await assert.rejects(xray.getTraceSummaries({StartTime: new Date(2000), EndTime: new Date(1000)}), {name: 'InvalidRequestException'});
});

test('sns: topic, publish, errors', {timeout: 60_000}, async () => {
  const sns = new SNS(settings(server, '333333333333'));
  const {TopicArn} = await sns.createTopic({Name: 'ops', Tags: [{Key: 'a', Value: 'b'}]});
  assert.equal(TopicArn, 'arn:aws:sns:us-east-1:333333333333:ops');
  const {MessageId} = await sns.publish({TopicArn, Subject: 'Hi', Message: 'a b&c=d+\u00e9*~', MessageAttributes: {
    kind: {DataType: 'String', StringValue: 'x'}, bin: {DataType: 'Binary', BinaryValue: new Uint8Array([0, 255, 16])}}});
  assert.match(MessageId, /^[0-9a-f-]{36}$/);
  const batch = await sns.publishBatch({TopicArn, PublishBatchRequestEntries: [{Id: '1', Message: 'x'}, {Id: '2', Message: 'y'}]});
  assert.deepEqual([batch.Successful.length, batch.Failed], [2, []]);
  assert.deepEqual((await sns.listTagsForResource({ResourceArn: TopicArn})).Tags, [{Key: 'a', Value: 'b'}]);
  assert.deepEqual((await sns.listSubscriptionsByTopic({TopicArn})).Subscriptions, []);
  await assert.rejects(sns.publish({TopicArn: TopicArn + 'x', Message: 'x'}), error => {
    assert.equal(error.name, 'NotFoundException');
    assert.equal(error.message, 'Topic does not exist');
    return true;
  });
});
