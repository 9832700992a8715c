// CloudWatch through SDK v3: its default protocol (JSON 1.0) and CBOR must behave alike.
import assert from 'node:assert/strict';
import {after, before, describe, test} from 'node:test';

import {CloudWatch, paginateListMetrics, waitUntilAlarmExists} from '@aws-sdk/client-cloudwatch';
import {AwsSmithyRpcV2CborProtocol} from '@aws-sdk/core/protocols';

import {settings, startServer} from './server.mjs';

let server;
before(async () => { server = await startServer(); });
after(() => server?.stop());

const minute = new Date(Math.floor(Date.now() / 60_000) * 60_000 - 600_000);
const protocols = [['json', undefined, '111111111111'], ['cbor', AwsSmithyRpcV2CborProtocol, '222222222222']];

for (const [name, protocol, account] of protocols) {
  describe(name, {timeout: 60_000}, () => {
    // With CBOR this SDK compresses a large body but sends the length it had before: nothing a server could answer.
    const make = (suffix = 0) => new CloudWatch({...settings(server, String(BigInt(account) + BigInt(suffix))),
                                                 ...(protocol && {protocol, disableRequestCompression: true})});

    test('metrics come back', async () => {
      const cw = make();
      await cw.putMetricData({Namespace: 'Demo/App', MetricData: [
        {MetricName: 'Latency', Dimensions: [{Name: 'Host', Value: 'a'}], Timestamp: minute, Value: 1.5, Unit: 'Milliseconds', StorageResolution: 1},
        {MetricName: 'Size', Timestamp: minute, StatisticValues: {SampleCount: 2, Sum: 3, Minimum: 1, Maximum: 2}},
        {MetricName: 'Hist', Timestamp: minute, Values: [1, 2.5], Counts: [3, 4]},
        {MetricName: 'Zero', Timestamp: minute, Value: 0},
      ]});
      const end = new Date(minute.getTime() + 60_000);
      const statistics = await cw.getMetricStatistics({Namespace: 'Demo/App', MetricName: 'Hist', StartTime: minute, EndTime: end, Period: 60,
                                                       Statistics: ['Sum', 'SampleCount', 'Maximum']});
      assert.equal(statistics.Label, 'Hist');
      assert.deepEqual(statistics.Datapoints, [{Timestamp: minute, SampleCount: 7, Sum: 13, Maximum: 2.5, Unit: 'None'}]);
      const data = await cw.getMetricData({StartTime: minute, EndTime: end, MetricDataQueries: ['Latency', 'Zero'].map((metric, i) => ({
        Id: `m${i}`, MetricStat: {Metric: {Namespace: 'Demo/App', MetricName: metric, ...(i === 0 && {Dimensions: [{Name: 'Host', Value: 'a'}]})},
                                  Period: 60, Stat: 'Average'}}))});
      assert.deepEqual(data.MetricDataResults.map(r => [r.Id, r.StatusCode, r.Timestamps[0].getTime(), r.Values]),
                       [['m0', 'Complete', minute.getTime(), [1.5]], ['m1', 'Complete', minute.getTime(), [0]]]);
      assert.deepEqual(data.Messages, []);
    });

    test('a large body, compressed where the SDK does so', async () => {
      const cw = make(1);
      const MetricData = Array.from({length: 800}, (_, i) => ({MetricName: `metric-${i}`, Value: i, Timestamp: minute, Dimensions: [{Name: 'Host', Value: 'x'.repeat(40)}]}));
      await cw.putMetricData({Namespace: 'Big', MetricData});
      let count = 0;
      for await (const page of paginateListMetrics({client: cw}, {Namespace: 'Big'})) count += page.Metrics.length;
      assert.equal(count, 800);
    });

    test('alarms, waiter, tags', async () => {
      const cw = make(2);
      await cw.putMetricAlarm({AlarmName: 'High', Namespace: 'Demo/App', MetricName: 'Latency', Statistic: 'Average', Period: 3600, EvaluationPeriods: 1,
                               Threshold: 10, ComparisonOperator: 'GreaterThanThreshold', Tags: [{Key: 'a', Value: 'b'}]});
      const waited = await waitUntilAlarmExists({client: cw, maxWaitTime: 10}, {AlarmNames: ['High']});
      assert.equal(waited.state, 'SUCCESS');
      const {MetricAlarms: [alarm], CompositeAlarms} = await cw.describeAlarms({});
      assert.equal(alarm.Threshold, 10);
      assert.ok(alarm.AlarmConfigurationUpdatedTimestamp instanceof Date);
      assert.deepEqual(CompositeAlarms, []);
      assert.deepEqual((await cw.listTagsForResource({ResourceARN: alarm.AlarmArn})).Tags, [{Key: 'a', Value: 'b'}]);
      await cw.setAlarmState({AlarmName: 'High', StateValue: 'ALARM', StateReason: 'drill'});
      const history = await cw.describeAlarmHistory({AlarmName: 'High', HistoryItemType: 'StateUpdate'});
      const summaries = history.AlarmHistoryItems.map(item => item.HistorySummary);  // a round of evaluation may have come after it
      assert.ok(summaries.slice(0, 2).some(summary => /^Alarm updated from \w+ to ALARM$/.test(summary)), summaries.join('; '));
      await cw.deleteAlarms({AlarmNames: ['High']});
    });

    test('errors are typed and carry the query code', async () => {
      const cw = make(3);
      await assert.rejects(cw.putMetricData({Namespace: 'A', MetricData: [{MetricName: 'M', Value: 1, Values: [1]}]}), error => {
        assert.equal(error.name, 'InvalidParameterCombinationException');
        assert.equal(error.Code ?? error.Error?.Code, 'InvalidParameterCombination');
        assert.equal(error.message, 'The parameters MetricData.member.1.Value and MetricData.member.1.Values are mutually exclusive and you have specified both.');
        assert.equal(error.$metadata.httpStatusCode, 400);
        assert.match(error.$metadata.requestId, /^[0-9a-f-]{36}$/);
        return true;
      });
      await assert.rejects(cw.getDashboard({DashboardName: 'none'}), error => {
        assert.match(error.name, /^(DashboardNotFoundError|ResourceNotFound)$/);  // two shapes of one query code
        assert.equal(error.$metadata.httpStatusCode, 404);
        return true;
      });
      await assert.rejects(cw.putMetricData({Namespace: 'A', MetricData: [{MetricName: 'M', Value: NaN}]}), {name: 'InvalidParameterValueException'});
    });

    test('dashboards', async () => {
      const cw = make(4);
      const DashboardBody = JSON.stringify({widgets: [{type: 'text', properties: {markdown: 'h\u00e9'}}]});
      await cw.putDashboard({DashboardName: 'main', DashboardBody});
      assert.equal((await cw.getDashboard({DashboardName: 'main'})).DashboardBody, DashboardBody);
      assert.equal((await cw.listDashboards({})).DashboardEntries[0].DashboardName, 'main');
      await cw.deleteDashboards({DashboardNames: ['main']});
    });
  });
}
