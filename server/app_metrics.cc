// What /metrics and /_fogwatch/health say.
#include "server/app_impl.h"

namespace fog {

std::vector<HealthCheck> App::Impl::health_checks() {
  std::vector<HealthCheck> checks;
  checks.push_back({"log", [this] { return std::string(wal->healthy() ? "" : "the write-ahead log cannot be written"); }});
  checks.push_back({"workers", [this] {
                      const Millis since = workers->since_last_round();
                      return since > kWorkersStuck ? fmt::format("no round for {} s", since.count() / 1000) : std::string();
                    }});
  return checks;
}

void App::Impl::write_metrics(PrometheusText& out) {
  const auto number = [](auto n) { return static_cast<double>(n); };
  const http::Stats h = http->stats();
  out.gauge("fogwatch_connections", "Connections open.").value(number(h.connections_open));
  out.counter("fogwatch_connections_accepted_total", "Connections accepted.").value(number(h.connections_accepted));
  out.counter("fogwatch_connections_refused_total", "Connections over the limit.").value(number(h.connections_refused));
  out.counter("fogwatch_connections_evicted_total", "Idle connections closed to make room.").value(number(h.connections_evicted));
  if (certificate) {
    out.counter("fogwatch_tls_handshakes_total", "TLS connections begun.")
        .value(number(h.tls_handshakes - h.tls_resumed), {{"kind", "full"}})
        .value(number(h.tls_resumed), {{"kind", "resumed"}});
    out.counter("fogwatch_tls_failures_total", "TLS connections that failed.").value(number(h.tls_failures));
    out.gauge("fogwatch_tls_certificate_expires_timestamp_seconds", "When the certificate in use expires.")
        .value(number(certificate->context()->expires().time_since_epoch().count()) / 1000.0);
  }
  out.gauge("fogwatch_resident_memory_bytes", "Memory of the process.").value(number(resident_bytes_of_process()));
  out.gauge("fogwatch_memory_limit_bytes", "Above it large requests are refused; 0: no limit.").value(number(pressure->memory_limit_bytes()));
  out.gauge("fogwatch_body_bytes", "Large bodies being received or worked on.").value(number(pressure->body_bytes()));
  out.gauge("fogwatch_heavy_calls_waiting", "Queries waiting or running.").value(number(admission->waiting()));
  out.counter("fogwatch_shed_total", "Requests refused because there were too many.")
      .value(number(pressure->shed()), {{"for", "memory"}})
      .value(number(admission->refused()), {{"for", "time"}});
  out.counter("fogwatch_http_faults_total", "Requests refused for their framing.").value(number(h.faults));
  out.counter("fogwatch_http_timeouts_total", "Connections cut for slowness.").value(number(h.timeouts));
  out.counter("fogwatch_http_bytes_total", "Bytes through the door.")
      .value(number(h.bytes_in), {{"direction", "in"}})
      .value(number(h.bytes_out), {{"direction", "out"}});
  const auto body = pipeline->body_stats();
  out.counter("fogwatch_large_bodies_total", "Bodies of 256 KiB or more.").value(number(body.bodies));
  out.counter("fogwatch_large_body_bytes_total", "Their bytes.").value(number(body.bytes));
  out.counter("fogwatch_large_body_seconds_total", "Time from their first byte to decoding.").value(number(body.nanoseconds) / 1e9);
  const Wal::Stats w = wal->stats();
  out.counter("fogwatch_wal_records_total", "Records appended.").value(number(w.records_appended));
  out.counter("fogwatch_wal_bytes_total", "Bytes appended.").value(number(w.bytes_appended));
  out.counter("fogwatch_wal_syncs_total", "Times the disk was waited for.").value(number(w.syncs));
  out.gauge("fogwatch_wal_disk_bytes", "Size of the log on disk.").value(number(w.bytes_on_disk));
  write_disk_metrics(out, disk_budget.get(), w);
  out.gauge("fogwatch_wal_damaged_bytes", "Bytes passed over when the log was read.").value(number(w.damaged_bytes));
  const MetricStore::Stats m = metrics->stats();
  out.gauge("fogwatch_metric_series", "Metric series.").value(number(m.series));
  out.counter("fogwatch_metric_points_total", "Data points put.").value(number(m.points_put));
  out.gauge("fogwatch_metric_head_bytes", "Metrics in memory.").value(number(m.head_bytes));
  out.gauge("fogwatch_metric_disk_bytes", "Metrics on disk.").value(number(m.bytes_on_disk));
  out.gauge("fogwatch_metric_chunks_damaged", "Chunks that failed their check.").value(number(m.chunks_damaged));
  const LogStoreHealth l = log_store->health();
  out.gauge("fogwatch_log_head_events", "Log events in memory, not yet sealed.").value(number(l.head_events));
  out.gauge("fogwatch_log_head_bytes", "Their bytes.").value(number(l.head_bytes));
  out.gauge("fogwatch_log_segments", "Sealed segments.").value(number(l.segments));
  out.gauge("fogwatch_log_disk_bytes", "Logs on disk.").value(number(l.disk_bytes));
  out.counter("fogwatch_log_seals_total", "Heads sealed.").value(number(l.seals));
  out.counter("fogwatch_log_seal_failures_total", "Seals the disk refused.").value(number(l.seal_failures));
  out.gauge("fogwatch_log_damaged_blocks", "Blocks that failed their check.").value(number(l.damaged_blocks));
  out.gauge("fogwatch_log_damaged_files", "Segments and manifests that could not be read.").value(number(l.damaged_files));
  out.gauge("fogwatch_log_events_lost", "Events in damaged blocks, as far as known.").value(number(l.events_lost));
  const logs::EventPipeline::Stats p = log_pipeline->stats();
  out.counter("fogwatch_log_pipeline_events_total", "Events that filters, embedded metrics or live tail looked at.").value(number(p.events));
  out.gauge("fogwatch_log_pipeline_waiting_bytes", "Events not looked at yet.").value(number(p.waiting_bytes));
  out.counter("fogwatch_log_pipeline_metrics_total", "Metric data that followed from events.").value(number(p.metric_datums));
  out.counter("fogwatch_log_embedded_documents_total", "Lines in the embedded metric format.").value(number(p.embedded_documents));
  out.counter("fogwatch_log_embedded_errors_total", "What was wrong with them.").value(number(p.embedded_errors));
  out.counter("fogwatch_log_replayed_batches_total", "Batches worked on again after a crash.").value(number(p.replayed_batches));
  out.gauge("fogwatch_live_tail_sessions", "Live tail sessions.").value(number(p.live_tail_sessions));
  out.counter("fogwatch_subscription_deliveries_total", "Messages of subscription filters.")
      .value(number(p.deliveries.delivered), {{"verdict", "delivered"}})
      .value(number(p.deliveries.dropped), {{"verdict", "dropped"}});
  out.counter("fogwatch_subscription_failed_attempts_total", "Attempts that will be repeated.").value(number(p.deliveries.failed_attempts));
  out.gauge("fogwatch_subscription_waiting", "Messages waiting for their destination.").value(number(p.deliveries.waiting));
  out.gauge("fogwatch_subscription_waiting_bytes", "Their bytes.").value(number(p.deliveries.waiting_bytes));
  const TraceStore::Stats t = traces->stats();
  out.counter("fogwatch_trace_documents_total", "Segment documents.")
      .value(number(t.documents_accepted), {{"verdict", "accepted"}})
      .value(number(t.documents_rejected), {{"verdict", "rejected"}});
  out.gauge("fogwatch_trace_damaged_blocks", "Blocks that failed their check.").value(number(t.damaged_blocks));
  out.gauge("fogwatch_trace_damaged_files", "Days that could not be read.").value(number(t.damaged_files));
  out.gauge("fogwatch_trace_head_bytes", "Traces in memory.").value(number(t.head_bytes));
  if (xray_daemon) {
    const XrayDaemon::Stats x = xray_daemon->stats();
    out.counter("fogwatch_xray_datagrams_total", "Datagrams of the X-Ray door.").value(number(x.datagrams));
    out.counter("fogwatch_xray_datagrams_rejected_total", "Datagrams or documents refused.")
        .value(number(x.rejected_headers), {{"part", "header"}})
        .value(number(x.rejected_documents), {{"part", "document"}});
    out.counter("fogwatch_xray_datagrams_dropped_total", "Datagrams the kernel dropped.").value(number(x.dropped));
  }
  const CurlOutbound::Stats o = outbound->stats();
  out.counter("fogwatch_outbound_calls_total", "Deliveries tried.").value(number(o.calls));
  out.counter("fogwatch_outbound_failures_total", "Deliveries without an answer.").value(number(o.failures));
  out.counter("fogwatch_outbound_denied_total", "Deliveries to addresses that are not allowed.").value(number(o.denied));
  out.gauge("fogwatch_outbound_waiting", "Deliveries queued or under way.").value(number(o.waiting));
  const auto reports = workers->report();
  out.counter("fogwatch_worker_ticks_total", "Rounds of background workers.");
  for (const auto& r : reports) out.value(number(r.ticks), {{"worker", r.name}});
  out.gauge("fogwatch_worker_slowest_seconds", "Their slowest round.");
  for (const auto& r : reports) out.value(number(r.slowest.count()) / 1000.0, {{"worker", r.name}});
}

}  // namespace fog
