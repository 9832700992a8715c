#include "storage/segments/stored_block.h"

namespace fog::segments {

Result<std::shared_ptr<const Directory>> StoredBlock::directory() const {
  {
    const std::lock_guard lock(mutex_);
    if (directory_ != nullptr) return directory_;
  }
  TRY(const std::string bytes,
      source_->read(summary.offset + summary.size - summary.directory_size, summary.directory_size));
  TRY(Directory decoded, decode_directory(bytes, summary.size));
  if (decoded.rows != summary.rows) return Error::corrupt("log block: directory of another block");
  auto shared = std::make_shared<const Directory>(std::move(decoded));
  const std::lock_guard lock(mutex_);
  if (directory_ == nullptr) directory_ = shared;
  return directory_;
}

Result<std::string> StoredBlock::section(const Section& section) const {
  TRY(const std::string stored, source_->read(summary.offset + section.offset, section.stored));
  return open_section(section, stored);
}

Result<std::string> StoredBlock::read(const Section& section, std::size_t from, std::size_t size) const {
  if (from > section.stored || size > section.stored - from) return Error::corrupt("log block: short section");
  return source_->read(summary.offset + section.offset + from, size);
}

}  // namespace fog::segments
