// Calls of every service through SDK v3 over TLS, signed with a real key. Run by test_tls.py, which
// sets FOGWATCH_URL, NODE_EXTRA_CA_CERTS and the credentials.
import assert from 'node:assert/strict';
import {randomBytes} from 'node:crypto';

import {CloudWatch} from '@aws-sdk/client-cloudwatch';
import {CloudWatchLogs} from '@aws-sdk/client-cloudwatch-logs';
import {SNS} from '@aws-sdk/client-sns';
import {XRay} from '@aws-sdk/client-xray';

const settings = {endpoint: process.env.FOGWATCH_URL, region: 'us-east-1', maxAttempts: 1};
assert.ok(settings.endpoint.startsWith('https://'));

const metrics = new CloudWatch(settings);
const Timestamp = new Date();
await metrics.putMetricData({Namespace: 'Js', MetricData: [{MetricName: 'm', Value: 2, Timestamp}]});
const {Datapoints} = await metrics.getMetricStatistics({Namespace: 'Js', MetricName: 'm', Period: 3600, Statistics: ['Sum'],
                                                        StartTime: new Date(Timestamp - 7200e3), EndTime: new Date(+Timestamp + 3600e3)});
assert.equal(Datapoints[0].Sum, 2);

const logs = new CloudWatchLogs(settings);
await logs.createLogGroup({logGroupName: '/js'});
await logs.createLogStream({logGroupName: '/js', logStreamName: 's \u00e9'.replace(' ', '_')});
await logs.putLogEvents({logGroupName: '/js', logStreamName: 's_\u00e9', logEvents: [{timestamp: Date.now(), message: 'x'.repeat(200_000)}]});
const {events} = await logs.getLogEvents({logGroupName: '/js', logStreamName: 's_\u00e9'});
assert.equal(events[0].message.length, 200_000);

const xray = new XRay(settings);
const now = Date.now() / 1000;
const trace_id = `1-${Math.floor(now).toString(16)}-${randomBytes(12).toString('hex')}`;
const document = {trace_id, id: randomBytes(8).toString('hex'), name: 'js', start_time: now - 1, end_time: now};
assert.deepEqual((await xray.putTraceSegments({TraceSegmentDocuments: [JSON.stringify(document)]})).UnprocessedTraceSegments, []);
assert.equal((await xray.batchGetTraces({TraceIds: [trace_id]})).Traces[0].Id, trace_id);

const sns = new SNS(settings);
const {TopicArn} = await sns.createTopic({Name: 'js'});
assert.ok((await sns.publish({TopicArn, Message: 'hello'})).MessageId);

const wrong = new SNS({...settings, credentials: {accessKeyId: process.env.AWS_ACCESS_KEY_ID, secretAccessKey: 'x'.repeat(40)}});
await assert.rejects(wrong.listTopics({}), error => /Signature/.test(error.name));
console.log('all done');
