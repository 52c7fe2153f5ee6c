// The backend this build uses, checked against the common shape.
#pragma once

#include "backend/backend.h"
#include FDEVENT_BACKEND_HEADER

namespace fdevent::backend {
static_assert(is_backend<Backend>::value, "the backend lacks a member that backend.h demands");
}
