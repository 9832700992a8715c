// Archive: what FIFO topics with an archive policy keep of their messages, and its replay to one
// subscription.
//
// Document of kind "sns-archive", name "<topic ARN>\n<sequence number>": StoredMessage without targets.
#pragma once

#include "api/sns/sns.h"

namespace fog::sns {

// Keeps a message; the caller's answer waits for the LSN (0: it is on disk already).
Result<Lsn> archive_message(ResourceStore& store, ResourceLog* log, const StoredMessage& message);
// Days that the topic keeps messages; 0: it has no archive.
int archive_days(const TopicEntry& topic);
// Messages of a topic published in [start, end], oldest first.
Result<std::vector<StoredMessage>> archived_messages(ResourceStore& store, ResourceLog* log, const TopicEntry& topic, Timestamp start, Timestamp end);
// Forgets what is older than the topic's retention; all of it when the topic keeps none or is gone.
Status trim_archive(ResourceStore& store, ResourceLog* log, const SnsState& state, Timestamp now);

// ReplayPolicy's window. Error: the text after the attribute's name.
struct ReplayWindow {
  Timestamp start{};
  std::optional<Timestamp> end{};
};
Result<ReplayWindow> parse_replay_policy(std::string_view policy);

}  // namespace fog::sns
