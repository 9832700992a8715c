// Passwords as they are kept: scrypt (RFC 7914) with a salt of their own, in one line of text.
//
//   const std::string kept = *hash_password("correct horse", random);   // "scrypt$32768$8$1$<salt>$<hash>"
//   matches_password(kept, "correct horse");                            // true, after some 60 ms and 32 MiB
//
// Pure but for the randomness; any thread. The caller limits how many run at a time.
#pragma once

#include <string>
#include <string_view>

#include "storage/base/random.h"
#include "storage/base/result.h"

namespace fog {

// Errors (invalid): shorter than 12 characters or longer than 1024 bytes.
Result<std::string> hash_password(std::string_view password, Random& random);

// Compares in constant time; false for a record that is not of the form above.
bool matches_password(std::string_view record, std::string_view password);

// Is this text of the form above, with costs that this server is willing to pay?
bool is_password_record(std::string_view record);

}  // namespace fog
