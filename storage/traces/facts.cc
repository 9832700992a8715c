// Block: varint strings, {varint length, bytes} each; varint traces, varint length of each record;
// the records. Integers as in storage/base/bytes.h. A record:
//   id (2 x 8 bytes), bits, revision, zigzag root, start_us (8 bytes), duration_us,
//   updates: count, first (zigzag ms), differences (zigzag);  labels: count, 8 bytes each;
//   entities: count, then each: bits, name, zigzag(start - trace start), duration_us,
//   zigzag(own index - segment), [zigzag(own index - parent)], and what its bits announce.
// An inferred segment stores its node alone; the rest is copied from the call above it.
#include "storage/traces/facts.h"

#include <zstd.h>

#include "storage/base/bytes.h"
#include "storage/base/hash.h"
#include "storage/traces/wrapping.h"

namespace fog::traces {

namespace {

enum EntityBits : std::uint64_t {
  kKindMask = 3,
  kInProgress = 1 << 2,
  kError = 1 << 3,
  kFault = 1 << 4,
  kThrottle = 1 << 5,
  kRemote = 1 << 6,
  kHasParentId = 1 << 7,
  kOrphan = 1 << 8,
  kHasParent = 1 << 9,
  kHasHttp = 1 << 10,
  kHasPlace = 1 << 11,  // user, ARN, instance, zone
  kHasAnnotations = 1 << 12,
  kHasExceptions = 1 << 13,
  kHasLinks = 1 << 14,
  kHasNode = 1 << 15,
};

constexpr std::size_t kRawBlobBytesMax = 256u << 20;

}  // namespace

void FactsWriter::add_entity(ByteWriter& out, const Trace& trace, std::size_t index) {
  const Entity& e = trace.entities[index];
  const bool inferred = e.kind == EntityKind::kInferred;
  const bool place = !e.user.empty() || !e.resource_arn.empty() || !e.instance_id.empty() ||
                     !e.availability_zone.empty();
  std::uint64_t bits = static_cast<std::uint64_t>(e.kind);
  if (e.in_progress) bits |= kInProgress;
  if (e.error) bits |= kError;
  if (e.fault) bits |= kFault;
  if (e.throttle) bits |= kThrottle;
  if (e.remote) bits |= kRemote;
  if (e.has_parent_id) bits |= kHasParentId;
  if (e.orphan) bits |= kOrphan;
  if (e.parent >= 0) bits |= kHasParent;
  if (e.is_segment()) bits |= kHasNode;
  if (!inferred) {
    if (e.has_http) bits |= kHasHttp;
    if (place) bits |= kHasPlace;
    if (e.annotations > 0) bits |= kHasAnnotations;
    if (e.exceptions > 0) bits |= kHasExceptions;
    if (e.links > 0) bits |= kHasLinks;
  }
  const auto own = static_cast<std::int64_t>(index);
  out.varint(bits);
  if (bits & kHasParent) out.zigzag(own - e.parent);
  if (bits & kHasNode) {
    out.varint(strings_.ref(e.node_name));
    out.varint(strings_.ref(e.node_type));
    out.varint(strings_.ref(e.account));
  }
  if (inferred) return;
  out.varint(strings_.ref(e.name));
  out.zigzag(e.start_us - trace.start_us);
  out.zigzag(e.in_progress ? 0 : e.end_us - e.start_us);
  out.zigzag(own - e.segment);
  if (bits & kHasHttp) {
    for (const auto text : {e.http_url, e.http_method, e.user_agent, e.client_ip})
      out.varint(strings_.ref(text));
    out.zigzag(e.http_status);
  }
  if (bits & kHasPlace)
    for (const auto text : {e.user, e.resource_arn, e.instance_id, e.availability_zone})
      out.varint(strings_.ref(text));
  if (bits & kHasAnnotations) {
    out.varint(e.annotations);
    for (const auto& a : trace.annotations_of(e)) {
      out.varint(strings_.ref(a.key));
      out.varint(a.value.index());
      if (const auto* text = std::get_if<std::string_view>(&a.value)) out.varint(strings_.ref(*text));
      if (const auto* number = std::get_if<double>(&a.value)) out.fixed(*number);
      if (const auto* truth = std::get_if<bool>(&a.value)) out.varint(*truth ? 1 : 0);
    }
  }
  if (bits & kHasExceptions) {
    out.varint(e.exceptions);
    for (const auto& x : trace.exceptions_of(e)) {
      out.varint(strings_.ref(x.type));
      out.varint(strings_.ref(x.message));
      out.varint(x.remote ? 1 : 0);
    }
  }
  if (bits & kHasLinks) {
    out.varint(e.links);
    for (const auto& link : trace.links_of(e)) {
      out.fixed(link.trace.hi);
      out.fixed(link.trace.lo);
      out.fixed(link.span);
    }
  }
}

void FactsWriter::add(const Trace& trace) {
  const std::size_t first = records_.size();
  ByteWriter out(records_);
  out.fixed(trace.id.hi);
  out.fixed(trace.id.lo);
  out.varint((trace.partial ? 1u : 0u) | (trace.limit_exceeded ? 2u : 0u));
  out.varint(trace.revision);
  out.zigzag(trace.root);
  out.fixed(trace.start_us);
  out.zigzag(trace.end_us - trace.start_us);
  out.varint(trace.updates_ms.size());
  std::int64_t before = 0;
  for (const auto update : trace.updates_ms) {
    out.zigzag(update - before);
    before = update;
  }
  out.varint(trace.labels.size());
  for (const auto label : trace.labels) out.fixed(label);
  out.varint(trace.entities.size());
  for (std::size_t i = 0; i < trace.entities.size(); ++i) add_entity(out, trace, i);
  sizes_.push_back(records_.size() - first);
}

std::string FactsWriter::finish() {
  std::string block;
  ByteWriter out(block);
  out.varint(strings_.size());
  for (std::uint32_t i = 0; i < strings_.size(); ++i) out.text(strings_.at(i));
  out.varint(sizes_.size());
  for (const auto size : sizes_) out.varint(size);
  out.raw(records_);
  strings_.clear();
  records_.clear();
  sizes_.clear();
  return block;
}

Result<std::shared_ptr<const FactsBlock>> FactsBlock::open(std::string bytes) {
  auto block = std::make_shared<FactsBlock>();
  block->bytes_ = std::move(bytes);
  ByteReader in(block->bytes_);
  const auto strings = in.varint();
  if (strings > block->bytes_.size()) return Error::corrupt("facts block: dictionary too long");
  block->strings_.reserve(static_cast<std::size_t>(strings));
  for (std::uint64_t i = 0; i < strings; ++i) block->strings_.push_back(in.text());
  const auto records = in.varint();
  if (records > block->bytes_.size()) return Error::corrupt("facts block: too many traces");
  std::vector<std::uint64_t> sizes;
  for (std::uint64_t i = 0; i < records; ++i) sizes.push_back(in.varint());
  for (const auto size : sizes) block->records_.push_back(in.raw(static_cast<std::size_t>(size)));
  if (!in.ok() || !in.at_end()) return Error::corrupt("facts block: wrong length");
  return std::shared_ptr<const FactsBlock>(std::move(block));
}

Result<Trace> FactsBlock::trace(std::size_t index) const {
  if (index >= records_.size()) return Error::corrupt("facts block: no such trace");
  ByteReader in(records_[index]);
  bool sound = true;
  const auto text = [&]() -> std::string_view {
    const auto number = in.varint();
    if (number < strings_.size()) return strings_[static_cast<std::size_t>(number)];
    sound = false;
    return {};
  };
  // A count can't exceed the bytes left: every item takes at least one.
  const auto count = [&]() -> std::uint64_t {
    const auto n = in.varint();
    if (n <= in.rest().size()) return n;
    sound = false;
    return 0;
  };

  Trace trace;
  trace.id.hi = in.fixed<std::uint64_t>();
  trace.id.lo = in.fixed<std::uint64_t>();
  const auto trace_bits = in.varint();
  trace.partial = trace_bits & 1;
  trace.limit_exceeded = trace_bits & 2;
  trace.revision = static_cast<std::uint32_t>(in.varint());
  const auto root = in.zigzag();
  trace.start_us = in.fixed<std::int64_t>();
  trace.end_us = wrapping_sum(trace.start_us, in.zigzag());
  std::int64_t update = 0;
  for (auto n = count(); n > 0; --n) trace.updates_ms.push_back(update = wrapping_sum(update, in.zigzag()));
  for (auto n = count(); n > 0; --n) trace.labels.push_back(in.fixed<std::uint64_t>());
  const auto entities = static_cast<std::int64_t>(count());
  trace.entities.reserve(static_cast<std::size_t>(entities));
  for (std::int64_t own = 0; own < entities && in.ok() && sound; ++own) {
    const auto bits = in.varint();
    if ((bits & kKindMask) > 2) return Error::corrupt("facts block: unknown kind of entity");
    Entity e;
    std::int64_t parent = -1;
    if (bits & kHasParent) parent = wrapping_difference(own, in.zigzag());
    if (parent < -1 || parent >= entities) return Error::corrupt("facts block: parent out of range");
    const auto kind = static_cast<EntityKind>(bits & kKindMask);
    if (kind == EntityKind::kInferred) {
      if (parent < 0 || parent >= own) return Error::corrupt("facts block: inferred from nothing");
      e = trace.at(static_cast<std::int32_t>(parent));
      e.annotations = e.links = 0;
      e.user = {};
    }
    e.kind = kind;
    e.parent = static_cast<std::int32_t>(parent);
    e.in_progress = bits & kInProgress;
    e.error = bits & kError;
    e.fault = bits & kFault;
    e.throttle = bits & kThrottle;
    e.remote = bits & kRemote;
    e.has_parent_id = bits & kHasParentId;
    e.orphan = bits & kOrphan;
    if (bits & kHasNode) {
      e.node_name = text();
      e.node_type = text();
      e.account = text();
    }
    if (kind == EntityKind::kInferred) {
      e.segment = static_cast<std::int32_t>(own);
      trace.entities.push_back(e);
      continue;
    }
    e.name = text();
    e.start_us = wrapping_sum(trace.start_us, in.zigzag());
    const auto length = in.zigzag();
    e.end_us = e.in_progress ? 0 : wrapping_sum(e.start_us, length);
    const auto segment = wrapping_difference(own, in.zigzag());
    if (segment < -1 || segment >= entities) return Error::corrupt("facts block: owner out of range");
    e.segment = static_cast<std::int32_t>(segment);
    if (bits & kHasHttp) {
      e.has_http = true;
      e.http_url = text();
      e.http_method = text();
      e.user_agent = text();
      e.client_ip = text();
      e.http_status = static_cast<std::int32_t>(in.zigzag());
    }
    if (bits & kHasPlace) {
      e.user = text();
      e.resource_arn = text();
      e.instance_id = text();
      e.availability_zone = text();
    }
    e.first_annotation = static_cast<std::uint32_t>(trace.annotations.size());
    if (bits & kHasAnnotations) {
      for (auto n = count(); n > 0; --n) {
        Annotation a;
        a.key = text();
        switch (in.varint()) {
          case 0: a.value = text(); break;
          case 1: a.value = in.fixed<double>(); break;
          default: a.value = in.varint() != 0; break;
        }
        trace.annotations.push_back(a);
      }
    }
    e.annotations = static_cast<std::uint32_t>(trace.annotations.size()) - e.first_annotation;
    e.first_exception = static_cast<std::uint32_t>(trace.exceptions.size());
    if (bits & kHasExceptions) {
      for (auto n = count(); n > 0; --n) {
        ExceptionFact x;
        x.type = text();
        x.message = text();
        x.remote = in.varint() != 0;
        trace.exceptions.push_back(x);
      }
    }
    e.exceptions = static_cast<std::uint32_t>(trace.exceptions.size()) - e.first_exception;
    e.first_link = static_cast<std::uint32_t>(trace.links.size());
    if (bits & kHasLinks) {
      for (auto n = count(); n > 0; --n) {
        LinkFact link;
        link.trace.hi = in.fixed<std::uint64_t>();
        link.trace.lo = in.fixed<std::uint64_t>();
        link.span = in.fixed<std::uint64_t>();
        trace.links.push_back(link);
      }
    }
    e.links = static_cast<std::uint32_t>(trace.links.size()) - e.first_link;
    trace.entities.push_back(e);
  }
  if (!in.ok() || !sound || !in.at_end() || root < -1 || root >= entities)
    return Error::corrupt("facts block: broken trace");
  trace.root = static_cast<std::int32_t>(root);
  trace.text = shared_from_this();
  return trace;
}

std::string pack_blob(std::string_view raw) {
  std::string blob(8 + ZSTD_compressBound(raw.size()), '\0');
  const std::size_t size =
      ZSTD_compress(blob.data() + 8, blob.size() - 8, raw.data(), raw.size(), 1);
  FOG_ASSERT(!ZSTD_isError(size), "the bound leaves room for every input");
  blob.resize(8 + size);
  const auto raw_size = static_cast<std::uint32_t>(raw.size());
  std::memcpy(blob.data() + 4, &raw_size, 4);
  const std::uint32_t sum = crc32c(std::string_view(blob).substr(4));
  std::memcpy(blob.data(), &sum, 4);
  return blob;
}

Result<std::string> unpack_blob(std::string_view blob) {
  ByteReader in(blob);
  const auto sum = in.fixed<std::uint32_t>();
  const auto raw_size = in.fixed<std::uint32_t>();
  if (!in.ok() || crc32c(blob.substr(4)) != sum) return Error::corrupt("stored block fails its check");
  if (raw_size > kRawBlobBytesMax) return Error::corrupt("stored block is too large");
  std::string raw(raw_size, '\0');
  const std::size_t size =
      ZSTD_decompress(raw.data(), raw.size(), in.rest().data(), in.rest().size());
  if (ZSTD_isError(size) || size != raw_size) return Error::corrupt("stored block does not unpack");
  return raw;
}

}  // namespace fog::traces
