// Authorize: may this key do this? The resources and condition keys of a call, read from its typed
// input, and the verdict of the key's policies over them.
//
// Resources are those of the spec's table "Policy subset worth enforcing" (protocols.md 4.2), after the
// Service Authorization Reference's pages of the four services. A call that names several resources
// needs leave for each. Pure; any thread.
#pragma once

#include <vector>

#include "api/auth/keys.h"
#include "api/common/protocol.h"

namespace fog {

// One entry a resource that the call names; each lists the forms by which a policy may name it.
std::vector<iam::Access> accesses_of(const Exchange& x);

// After decode(). Sets the call's principal. Error: AccessDenied in the caller's protocol (SNS:
// AuthorizationError), in AWS's words.
Status authorize(Exchange& x, const AccessKey& key);

}  // namespace fog
