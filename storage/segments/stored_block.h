// StoredBlock: what the engine keeps of a block: its summary, where its bytes are, and its directory once
// it has been read. Immutable but for that; any thread.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "storage/segments/block_format.h"

namespace fog::segments {

class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual Result<std::string> read(std::uint64_t offset, std::size_t size) const = 0;
  // The same without waiting for a disk: nothing where the bytes are not in memory; then they are on their way.
  virtual std::optional<std::string> read_now(std::uint64_t offset, std::size_t size) const = 0;
};

class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(std::shared_ptr<const std::string> bytes) : bytes_(std::move(bytes)) {}
  Result<std::string> read(std::uint64_t offset, std::size_t size) const override {
    if (offset > bytes_->size() || size > bytes_->size() - offset) return Error::corrupt("log block: short");
    return bytes_->substr(static_cast<std::size_t>(offset), size);
  }
  std::optional<std::string> read_now(std::uint64_t offset, std::size_t size) const override {
    Result<std::string> bytes = read(offset, size);
    return bytes.ok() ? std::optional(std::move(bytes).value()) : std::nullopt;
  }

 private:
  std::shared_ptr<const std::string> bytes_;
};

class StoredBlock {
 public:
  StoredBlock(BlockSummary block_summary, std::shared_ptr<const ByteSource> source)
      : summary(block_summary), id(next_id_++), source_(std::move(source)) {}

  const BlockSummary summary;
  const std::uint64_t id;  // of this object, never reused while the process lives

  Result<std::shared_ptr<const Directory>> directory() const;
  // Null: not in memory yet, or damaged, which directory() reports.
  std::shared_ptr<const Directory> directory_now() const;
  Result<std::string> section(const Section& section) const;  // checked and decompressed
  Result<std::string> read(const Section& section, std::size_t from, std::size_t size) const;
  std::optional<std::string> read_now(const Section& section, std::size_t from, std::size_t size) const;

  // Found damaged: counted once by whoever sets it first.
  mutable std::atomic<bool> damaged{false};

 private:
  std::shared_ptr<const Directory> known_directory() const;
  std::uint64_t directory_at() const { return summary.offset + summary.size - summary.directory_size; }
  Result<std::shared_ptr<const Directory>> keep_directory(std::string_view bytes) const;

  inline static std::atomic<std::uint64_t> next_id_{1};
  std::shared_ptr<const ByteSource> source_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<const Directory> directory_;
};

}  // namespace fog::segments
