// JavaScript's face of core::SyncPoller, and the way to wake one from any thread.
#pragma once

#include <napi.h>

namespace fdevent::node {

void export_poller(Napi::Object exports);

}  // namespace fdevent::node
