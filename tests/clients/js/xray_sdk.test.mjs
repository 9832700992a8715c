// The X-Ray SDK for Node: segments by UDP, sampling rules and targets from the server, unsigned.
import assert from 'node:assert/strict';
import {after, before, test} from 'node:test';

import {XRay} from '@aws-sdk/client-xray';

import {settings, startServer, until} from './server.mjs';

let server, AWSXRay, xray;
before(async () => {
  server = await startServer();
  process.env.AWS_XRAY_DAEMON_ADDRESS = server.xray;
  process.env.AWS_XRAY_CONTEXT_MISSING = 'LOG_ERROR';
  AWSXRay = (await import('aws-xray-sdk-core')).default;
  xray = new XRay(settings(server, '000000000000'));
});
after(() => server?.stop());

const find = async expression => (await xray.getTraceSummaries({StartTime: new Date(Date.now() - 120_000), EndTime: new Date(Date.now() + 60_000),
                                                                FilterExpression: expression})).TraceSummaries;

test('segments with subsegments, annotations and errors arrive', {timeout: 60_000}, async () => {
  const segment = new AWSXRay.Segment('node-app');
  segment.addAnnotation('model_name', 'gpt-4');
  segment.addMetadata('prompt', {tokens: 12}, 'ai');
  const child = segment.addNewSubsegment('tokenize');
  child.addError(new Error('broken'));
  child.close();
  segment.addFaultFlag();
  segment.close();
  const [found] = await until(async () => { const all = await find('service("node-app") AND fault'); return all.length && all; });
  assert.equal(found.Annotations.model_name[0].AnnotationValue.StringValue, 'gpt-4');
  const {Traces} = await xray.batchGetTraces({TraceIds: [found.Id]});
  const document = JSON.parse(Traces[0].Segments[0].Document);
  assert.equal(document.subsegments[0].name, 'tokenize');
  assert.equal(document.subsegments[0].cause.exceptions[0].message, 'broken');
  assert.deepEqual(document.metadata.ai.prompt, {tokens: 12});
});

test('rules are fetched from the server', {timeout: 60_000}, async () => {
  AWSXRay.middleware.enableDynamicNaming?.();
  const {default: rules} = await import('aws-xray-sdk-core/dist/lib/middleware/sampling/service_connector.js');
  const fetched = await new Promise((resolve, reject) => rules.fetchSamplingRules((error, list) => error ? reject(error) : resolve(list)));
  assert.deepEqual(fetched.map(rule => rule.getName()), ['Default']);
});
