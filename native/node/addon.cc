// The functions JavaScript calls. They convert arguments and nothing else; src/binding.ts is their
// typed face and the only caller, so arguments have been validated.
#include <napi.h>

#include "node/environment.h"
#include "node/io.h"

namespace fdevent::node {
namespace {

using core::Slot;

Environment& environment_of(const Napi::CallbackInfo& info) {
  return *static_cast<Environment*>(info.Data());
}

void connect(const Napi::CallbackInfo& info) {
  environment_of(info).connect(info[0], info[1]);
}

// Called for every wait: plain Node-API, without the wrapper's bookkeeping.
// start(fd, interest, seconds, referenced) -> slot or failure
napi_value start(napi_env env, napi_callback_info info) {
  napi_value arguments[4];
  size_t count = 4;
  void* data;
  int32_t fd = -1;
  uint32_t interest = 0;
  double seconds = 0;
  bool referenced = true;
  napi_value result;
  napi_get_cb_info(env, info, &count, arguments, nullptr, &data);
  napi_get_value_int32(env, arguments[0], &fd);
  napi_get_value_uint32(env, arguments[1], &interest);
  napi_get_value_double(env, arguments[2], &seconds);
  napi_get_value_bool(env, arguments[3], &referenced);
  napi_create_int32(env, static_cast<Environment*>(data)->start(fd, interest, seconds, referenced),
                    &result);
  return result;
}

// startSelect(pairs, seconds, referenced) -> slot or failure; pairs = [fd, interest, ...], and on
// failure pairs[0] is the descriptor at fault.
Napi::Value start_select(const Napi::CallbackInfo& info) {
  auto pairs = info[0].As<Napi::Int32Array>();
  std::vector<sys::Probe> members(pairs.ElementLength() / 2);
  for (size_t i = 0; i < members.size(); ++i) {
    members[i] = {pairs[2 * i], static_cast<Interest>(pairs[2 * i + 1]), 0};
  }
  size_t culprit = 0;
  const int32_t slot = environment_of(info).start_select(
      members, info[1].As<Napi::Number>().DoubleValue(), info[2].As<Napi::Boolean>(), &culprit);
  if (slot < 0 && culprit < members.size()) {
    pairs[0] = members[culprit].fd;
  }
  return Napi::Number::New(info.Env(), slot);
}

// selection(slot, pairs): what became of each pair's interest, written in the place of its interest
void selection(const Napi::CallbackInfo& info) {
  const auto* members =
      environment_of(info).reactor().selection(info[0].As<Napi::Number>().Int32Value());
  auto pairs = info[1].As<Napi::Int32Array>();
  for (size_t i = 0; members && i < members->size() && 2 * i + 1 < pairs.ElementLength(); ++i) {
    const sys::Probe& member = (*members)[i];
    pairs[2 * i + 1] = static_cast<int32_t>(selected(member.ready, member.interest));
  }
}

// cancel(slot)
napi_value cancel(napi_env env, napi_callback_info info) {
  napi_value argument;
  size_t count = 1;
  void* data;
  Slot slot = core::kNoSlot;
  napi_get_cb_info(env, info, &count, &argument, nullptr, &data);
  napi_get_value_int32(env, argument, &slot);
  static_cast<Environment*>(data)->cancel(slot);
  return nullptr;
}

// close(fd) -> the slots of waits that it interrupts
Napi::Value close(const Napi::CallbackInfo& info) {
  std::vector<Slot> interrupted;
  environment_of(info).close(info[0].As<Napi::Number>().Int32Value(), &interrupted);
  const Napi::Array result = Napi::Array::New(info.Env(), interrupted.size());
  for (size_t i = 0; i < interrupted.size(); ++i) {
    result.Set(static_cast<uint32_t>(i), interrupted[i]);
  }
  return result;
}

Napi::Value statistics(const Napi::CallbackInfo& info) {
  const core::Reactor::Statistics statistics = environment_of(info).reactor().statistics();
  const Napi::Object result = Napi::Object::New(info.Env());
  result.Set("waits", statistics.waits);
  result.Set("timed", statistics.timed);
  result.Set("registered", statistics.registered);
  result.Set("armed", statistics.armed);
  return result;
}

void set_raw(Napi::Object exports, const char* name, napi_callback callback, void* data) {
  napi_value function;
  napi_create_function(exports.Env(), name, NAPI_AUTO_LENGTH, callback, data, &function);
  exports.Set(name, function);
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  Environment* environment = Environment::create(env);
  if (!environment) {
    Napi::Error::New(env, "this environment is ending").ThrowAsJavaScriptException();
    return exports;
  }
  set_raw(exports, "start", start, environment);
  set_raw(exports, "cancel", cancel, environment);
  exports.Set("connect", Napi::Function::New<connect>(env, "connect", environment));
  exports.Set("startSelect", Napi::Function::New<start_select>(env, "startSelect", environment));
  exports.Set("selection", Napi::Function::New<selection>(env, "selection", environment));
  exports.Set("close", Napi::Function::New<close>(env, "close", environment));
  exports.Set("statistics", Napi::Function::New<statistics>(env, "statistics", environment));

  export_io(exports);

  // In the order of core::Syscall.
  const Napi::Array syscalls = Napi::Array::New(env);
  const char* const names[] = {backend::Backend::kCreate,
                               backend::Backend::kControl,
                               backend::Backend::kWait,
                               backend::Backend::kTimer,
                               "poll",
                               "close"};
  uint32_t index = 0;
  for (const char* name : names) {
    syscalls.Set(index++, name);
  }
  exports.Set("syscalls", syscalls);
  exports.Set("backend", backend::Backend::kName);
  return exports;
}

NODE_API_MODULE(fdevent, initialize)

}  // namespace
}  // namespace fdevent::node
