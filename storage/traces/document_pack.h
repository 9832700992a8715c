// DocumentPack: the stored form of a block of segment documents.
//
// A program sends documents of a few shapes with ever new values. A document is split into its
// shape (member names, punctuation, true, false, null) and its values; shapes and texts are stored
// once a block, ids as bytes, times as differences. What comes back is the same text, byte for
// byte, whatever it was.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "storage/base/result.h"
#include "storage/traces/document.h"
#include "storage/traces/string_table.h"

namespace fog::traces {

struct PackedDocument {
  std::int64_t received_ms = 0;
  std::uint64_t lsn = 0;
  std::string_view text;  // valid JSON
};

class DocumentPacker {
 public:
  void begin_trace(TraceId id, std::size_t documents);
  void add(const PackedDocument& document);
  std::size_t raw_bytes() const { return raw_bytes_; }  // of the texts since finish()
  std::string finish();  // the block, compressed and guarded; the packer is empty afterwards

 private:
  void split(std::string_view text);
  std::size_t take_string(std::string_view text, std::size_t at);
  std::size_t take_number(std::string_view text, std::size_t at);

  StringTable strings_;  // shapes and values
  std::string shape_, values_, of_document_, ids_;
  std::array<char, 35> trace_text_{};
  std::int64_t before_ms_ = 0;
  std::uint64_t before_lsn_ = 0;
  std::int64_t before_decimal_ = 0;
  std::size_t raw_bytes_ = 0;
};

// Calls `document` for every document, in order, of those traces of the block (counted from 0) for
// which `wanted` said true. Error (corrupt): the block fails its check.
Status unpack_documents(std::string_view block, const std::function<bool(std::size_t trace)>& wanted,
                        const std::function<void(std::size_t trace, const PackedDocument&)>& document);

}  // namespace fog::traces
