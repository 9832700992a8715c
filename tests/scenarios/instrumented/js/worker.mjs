// A model worker behind HTTP, traced with the X-Ray SDK: middleware, subsegments, a captured AWS client.
import http from 'node:http';

import {CloudWatchLogs} from '@aws-sdk/client-cloudwatch-logs';
import AWSXRay from 'aws-xray-sdk-core';

AWSXRay.enableManualMode();
AWSXRay.middleware.setSamplingRules({version: 2, rules: [], default: {fixed_target: 100, rate: 1}});
AWSXRay.middleware.disableCentralizedSampling();
AWSXRay.middleware.setDefaultName('worker');

const server = http.createServer(async (request, response) => {
  const segment = AWSXRay.middleware.traceRequestResponseCycle(request, response);
  segment.addAnnotation('model_name', 'gpt-4');
  const logs = AWSXRay.captureAWSv3Client(new CloudWatchLogs({}), segment);
  const step = segment.addNewSubsegment('tokenize');
  await new Promise(done => setTimeout(done, 5));
  step.close();
  await logs.describeLogGroups({limit: 1});
  response.statusCode = request.url.includes('broken') ? 500 : 200;
  response.end('{}');
});
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
process.stdin.resume().on('end', () => setTimeout(() => process.exit(0), 300));
