// A checkout service traced with OpenTelemetry: spans by OTLP, in protobuf and in JSON.
import {SpanKind, SpanStatusCode, context, trace} from '@opentelemetry/api';
import {OTLPTraceExporter as JsonExporter} from '@opentelemetry/exporter-trace-otlp-http';
import {OTLPTraceExporter as ProtobufExporter} from '@opentelemetry/exporter-trace-otlp-proto';
import {resourceFromAttributes} from '@opentelemetry/resources';
import {BasicTracerProvider, SimpleSpanProcessor} from '@opentelemetry/sdk-trace-base';

const url = process.env.OTEL_EXPORTER_OTLP_ENDPOINT + '/v1/traces';
const ids = {};
for (const [name, exporter] of [['protobuf', new ProtobufExporter({url})], ['json', new JsonExporter({url})]]) {
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({'service.name': `checkout-${name}`, 'service.version': '1.2'}),
    spanProcessors: [new SimpleSpanProcessor(exporter)],
  });
  const tracer = provider.getTracer('scenario');
  ids[name] = [];
  for (let i = 0; i < 3; ++i) {
    const root = tracer.startSpan('POST /pay', {kind: SpanKind.SERVER, attributes: {
      'http.request.method': 'POST', 'url.full': 'http://shop/pay', 'http.response.status_code': i === 2 ? 500 : 200,
      'aws.xray.annotations': ['tenant'], tenant: `t${i}`, 'enduser.id': 'ann'}});
    const inside = trace.setSpan(context.active(), root);
    const step = tracer.startSpan('reserve', {kind: SpanKind.INTERNAL}, inside);
    step.end();
    const call = tracer.startSpan('SELECT stock', {kind: SpanKind.CLIENT, attributes: {
      'db.system': 'mysql', 'db.name': 'stock', 'db.connection_string': 'jdbc:mysql://db:3306', 'db.statement': 'SELECT 1', 'db.user': 'shop'}}, inside);
    if (i === 2) {
      call.recordException(new TypeError('no stock'));
      call.setStatus({code: SpanStatusCode.ERROR, message: 'no stock'});
    }
    call.end();
    root.end();
    ids[name].push(root.spanContext().traceId);
  }
  await provider.forceFlush();
  await provider.shutdown();
}
console.log(JSON.stringify(ids));
