// Log and metric libraries, unmodified: every line arrives, in order, none twice; embedded metrics become metrics.
// FOGWATCH_SHIPPER_LINES says how many lines each log library sends.
import assert from 'node:assert/strict';
import {spawn} from 'node:child_process';
import {createRequire} from 'node:module';
import {after, before, test} from 'node:test';
import {CloudWatchLogsClient, CreateLogGroupCommand, CreateLogStreamCommand, GetLogEventsCommand} from '@aws-sdk/client-cloudwatch-logs';
import {startServer, until} from '../js/server.mjs';

const require = createRequire(import.meta.url);
const LINES = Number(process.env.FOGWATCH_SHIPPER_LINES ?? 3_000);
let server, logs;

before(async () => {
  server = await startServer({emf: '127.0.0.1:0'});
  logs = new CloudWatchLogsClient({endpoint: server.url, region: 'us-east-1', credentials: {accessKeyId: 'test', secretAccessKey: 'test'}});
});
after(() => server.stop());

async function stored(logGroupName, logStreamName) {
  const messages = [];
  let nextToken;
  for (;;) {
    const page = await logs.send(new GetLogEventsCommand({logGroupName, logStreamName, startFromHead: true, nextToken}));
    messages.push(...page.events.map(e => e.message));
    if (page.nextForwardToken === nextToken) return messages;
    nextToken = page.nextForwardToken;
  }
}

// The numbers 0 to LINES - 1, each once, in order. Lines without a number do not count.
async function complete(group, stream, numberOf) {
  const all = async () => (await stored(group, stream)).map(numberOf).filter(n => n !== undefined);
  await until(async () => {
    try { return (await all()).length >= LINES; } catch { return false; }
  }, 120_000);
  const numbers = await all();
  assert.equal(numbers.length, LINES, 'none twice');
  assert.ok(numbers.every((n, i) => n === i), `in order; first difference at ${numbers.findIndex((n, i) => n !== i)}`);
}

const pause = ms => new Promise(resolve => setTimeout(resolve, ms));
const child = (source, env, pipe) => {
  const process_ = spawn(process.execPath, ['--input-type=module', '-e', source],
                         {cwd: import.meta.dirname, env: {...process.env, ...env}, stdio: ['ignore', 'pipe', 'pipe']});
  const out = [];
  const said = [];
  process_.stderr.on('data', data => said.push(data));
  process_.stdout.on('data', data => out.push(data));
  if (pipe) process_.stdout.pipe(pipe);
  const ended = new Promise((resolve, reject) => {
    process_.on('exit', code => code === 0 ? resolve(Buffer.concat(out).toString()) : reject(new Error(`exit code ${code}: ${Buffer.concat(said)}`)));
  });
  return Object.assign(ended, {end: () => process_.kill()});
};

test('winston-cloudwatch', async () => {
  const winston = require('winston');
  const WinstonCloudWatch = require('winston-cloudwatch');
  const transport = new WinstonCloudWatch({
    logGroupName: '/winston', logStreamName: 's', uploadRate: 5, retentionInDays: 7, messageFormatter: ({message}) => message,
    awsOptions: {endpoint: server.url, region: 'us-east-1', credentials: {accessKeyId: 'test', secretAccessKey: 'test'}},
  });
  transport.on('error', e => { throw e; });
  // Under pressure winston hands lines to its transports in another order than they were logged in (seen at 1,000 and
  // more at once): the order that counts is the one in which the library puts them.
  const put = [];
  const putLogEvents = transport.cloudwatchlogs.putLogEvents.bind(transport.cloudwatchlogs);
  transport.cloudwatchlogs.putLogEvents = (input, done) => {
    put.push(...input.logEvents.map(e => e.message));
    return putLogEvents(input, done);
  };
  // And it would put more than 10,000 in one call, which AWS refuses: no more than that may wait.
  const logger = winston.createLogger({transports: [transport]});
  for (let i = 0; i < LINES; i++) {
    logger.info(`line ${i}`);
    if (i % 1000 === 999) await until(() => put.length > i - 5000, 60_000);
  }
  await until(async () => {
    try { return (await stored('/winston', 's')).length >= LINES; } catch { return false; }
  }, 120_000);
  const messages = await stored('/winston', 's');
  assert.deepEqual(messages, put, 'as they were put');
  assert.equal(new Set(messages).size, LINES, 'none missing, none twice');
  await new Promise(resolve => transport.kthxbye(resolve));
});

test('pino transport', async () => {
  // The transport's client takes its address from the environment, as a program of its own would.
  const shipper = child(`
    import pino from 'pino';
    const transport = pino.transport({target: '@serdnam/pino-cloudwatch-transport', options: {
      logGroupName: '/pino', logStreamName: 's', awsRegion: 'us-east-1', awsAccessKeyId: 'test', awsSecretAccessKey: 'test', interval: 50}});
    const logger = pino(transport);
    for (let i = 0; i < ${LINES}; i++) {
      logger.info({i});
      if (i % 1000 === 999) await new Promise(resolve => setTimeout(resolve, 5));
    }
    // It sends what it holds when a line comes after a pause, or at its end, which its worker gives up on a busy
    // machine: so lines go on coming until whoever waits for those above ends this.
    process.on('SIGTERM', () => process.exit(0));
    setInterval(() => logger.info('beat'), 500);
  `, {AWS_ENDPOINT_URL: server.url});
  let failure;
  shipper.catch(error => { failure = error; });
  try {
    await complete('/pino', 's', m => JSON.parse(m).i);
  } catch (error) {
    throw failure ?? error;
  } finally {
    shipper.end();
  }
});

test('bunyan-cloudwatch', async () => {
  const bunyan = require('bunyan');
  const createStream = require('bunyan-cloudwatch');
  await logs.send(new CreateLogGroupCommand({logGroupName: '/bunyan'}));
  await logs.send(new CreateLogStreamCommand({logGroupName: '/bunyan', logStreamName: 's'}));
  const stream = createStream({
    logGroupName: '/bunyan', logStreamName: 's', writeInterval: 5,
    cloudWatchLogsOptions: {endpoint: server.url, region: 'us-east-1', accessKeyId: 'test', secretAccessKey: 'test'},
  });
  const logger = bunyan.createLogger({name: 'b', streams: [{stream, type: 'raw'}]});
  for (let i = 0; i < LINES; i++) {
    logger.info({i}, 'x');
    // It sends all it has in one call, whatever the limits are.
    if (i % 2000 === 1999) while (stream.writeQueued) await pause(2);
  }
  await complete('/bunyan', 's', m => JSON.parse(m).i);
});

const metric = async (namespace, name, dimensions, stat = 'Sum') => {
  const {CloudWatchClient, GetMetricStatisticsCommand} = require('../js/node_modules/@aws-sdk/client-cloudwatch');
  const client = new CloudWatchClient({endpoint: server.url, region: 'us-east-1', credentials: {accessKeyId: 'test', secretAccessKey: 'test'}});
  const answer = await client.send(new GetMetricStatisticsCommand({
    Namespace: namespace, MetricName: name, Statistics: [stat], Period: 3600, StartTime: new Date(Date.now() - 7_200_000), EndTime: new Date(Date.now() + 3_600_000),
    Dimensions: Object.entries(dimensions).map(([Name, Value]) => ({Name, Value})),
  }));
  return answer.Datapoints.reduce((sum, point) => sum + point[stat], 0);
};

test('aws-embedded-metrics through the agent port', async () => {
  await child(`
    import emf from 'aws-embedded-metrics';
    const {StorageResolution, Unit, createMetricsLogger} = emf;
    const metrics = createMetricsLogger();
    metrics.setNamespace('shop');
    metrics.setDimensions([{route: '/buy'}, {route: '/buy', user: 'ada'}]);
    for (const ms of [10, 20, 30]) metrics.putMetric('latency', ms, Unit.Milliseconds);
    metrics.putMetric('fast', 1, Unit.Count, StorageResolution.High);
    metrics.setProperty('requestId', 'r-1');
    await metrics.flush();
    setTimeout(() => process.exit(0), 300);
  `, {AWS_EMF_ENVIRONMENT: 'Agent', AWS_EMF_AGENT_ENDPOINT: `tcp://${server.emf}`, AWS_EMF_SERVICE_NAME: 'cart', AWS_EMF_SERVICE_TYPE: 'node',
      AWS_EMF_LOG_GROUP_NAME: 'cart-metrics', AWS_EMF_LOG_STREAM_NAME: 'i-1'});
  await until(async () => await metric('shop', 'latency', {route: '/buy'}) === 60);
  assert.equal(await metric('shop', 'latency', {route: '/buy', user: 'ada'}, 'Maximum'), 30);
  assert.equal(await metric('shop', 'latency', {route: '/buy'}, 'SampleCount'), 3);
  assert.equal(await metric('shop', 'fast', {route: '/buy'}), 1);
  const [line] = await stored('cart-metrics', 'i-1');
  assert.equal(JSON.parse(line).requestId, 'r-1');
});

test('Powertools metrics through ingest-stdin', async () => {
  const ingest = spawn(server.binary, ['ingest-stdin', '--url', server.url, '--group', 'orders', '--lambda', '--emf', '--stream', 's'],
                       {stdio: ['pipe', 'inherit', 'inherit']});
  const gone = new Promise(resolve => ingest.on('exit', resolve));
  await child(`
    import {Metrics, MetricResolution, MetricUnit} from '@aws-lambda-powertools/metrics';
    const metrics = new Metrics({namespace: 'orders', serviceName: 'booking', defaultDimensions: {environment: 'prod'}});
    metrics.addMetric('successful', MetricUnit.Count, 1);
    metrics.addMetric('successful', MetricUnit.Count, 4);
    metrics.addMetric('high', MetricUnit.Count, 2, MetricResolution.High);
    metrics.publishStoredMetrics();
    const single = metrics.singleMetric();
    single.addDimension('unit', 'single');
    single.addMetric('alone', MetricUnit.Milliseconds, 7);
    console.log('START RequestId: r-1 Version: $LATEST');
    console.log('REPORT RequestId: r-1\\tDuration: 12.50 ms\\tBilled Duration: 13 ms\\tMemory Size: 128 MB\\tMax Memory Used: 64 MB');
  `, {AWS_LAMBDA_FUNCTION_NAME: 'orders'}, ingest.stdin);
  assert.equal(await gone, 0);
  await until(async () => await metric('orders', 'successful', {service: 'booking', environment: 'prod'}) === 5);
  assert.equal(await metric('orders', 'high', {service: 'booking', environment: 'prod'}), 2);
  assert.equal(await metric('AWS/Lambda', 'Duration', {FunctionName: 'orders'}), 12.5);
  assert.ok((await stored('/aws/lambda/orders', 's')).length >= 4);
});
