#include "storage/segments/stored_block.h"

namespace fog::segments {

std::shared_ptr<const Directory> StoredBlock::known_directory() const {
  const std::lock_guard lock(mutex_);
  return directory_;
}

Result<std::shared_ptr<const Directory>> StoredBlock::keep_directory(std::string_view bytes) const {
  TRY(Directory decoded, decode_directory(bytes, summary.size));
  if (decoded.rows != summary.rows) return Error::corrupt("log block: directory of another block");
  auto shared = std::make_shared<const Directory>(std::move(decoded));
  const std::lock_guard lock(mutex_);
  if (directory_ == nullptr) directory_ = std::move(shared);
  return directory_;
}

Result<std::shared_ptr<const Directory>> StoredBlock::directory() const {
  if (auto known = known_directory()) return known;
  TRY(const std::string bytes, source_->read(directory_at(), summary.directory_size));
  return keep_directory(bytes);
}

std::shared_ptr<const Directory> StoredBlock::directory_now() const {
  if (auto known = known_directory()) return known;
  const std::optional<std::string> bytes = source_->read_now(directory_at(), summary.directory_size);
  if (!bytes) return nullptr;
  Result<std::shared_ptr<const Directory>> kept = keep_directory(*bytes);
  return kept.ok() ? std::move(kept).value() : nullptr;
}

Result<std::string> StoredBlock::section(const Section& section) const {
  TRY(const std::string stored, source_->read(summary.offset + section.offset, section.stored));
  return open_section(section, stored);
}

Result<std::string> StoredBlock::read(const Section& section, std::size_t from, std::size_t size) const {
  if (from > section.stored || size > section.stored - from) return Error::corrupt("log block: short section");
  return source_->read(summary.offset + section.offset + from, size);
}

std::optional<std::string> StoredBlock::read_now(const Section& section, std::size_t from, std::size_t size) const {
  if (from > section.stored || size > section.stored - from) return std::nullopt;
  return source_->read_now(summary.offset + section.offset + from, size);
}

}  // namespace fog::segments
