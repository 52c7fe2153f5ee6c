// System calls for descriptors that are ready: thin, allocation-free, no policy.
#pragma once

#include <napi.h>

namespace fdevent::node {

void export_io(Napi::Object exports);

}  // namespace fdevent::node
