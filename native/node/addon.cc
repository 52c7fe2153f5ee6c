// The functions JavaScript calls. They convert arguments and nothing else; src/binding.ts is their
// typed face and the only caller, so arguments have been validated.
#include <napi.h>

#include "node/arguments.h"
#include "node/environment.h"
#include "node/io.h"
#include "node/poller.h"

namespace fdevent::node {
namespace {

using core::Slot;

Environment& environment_of(const Napi::CallbackInfo& info) {
  return *static_cast<Environment*>(info.Data());
}

void connect(const Napi::CallbackInfo& info) {
  environment_of(info).connect(info[0], info[1]);
}

// start(fd, interest, seconds, referenced) -> slot or failure
napi_value start(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  double seconds = 0;
  bool referenced = true;
  napi_get_value_double(env, arguments.values[2], &seconds);
  napi_get_value_bool(env, arguments.values[3], &referenced);
  return to_number(env, static_cast<Environment*>(arguments.data)
                            ->start(arguments.integer(0),
                                    static_cast<Interest>(arguments.integer(1)), seconds, referenced));
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
  const Arguments arguments(env, info);
  static_cast<Environment*>(arguments.data)->cancel(arguments.integer(0));
  return nullptr;
}

// watch(fd, interest, edge, referenced) -> slot or failure
Napi::Value watch(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), environment_of(info).watch(
                                           info[0].As<Napi::Number>().Int32Value(),
                                           info[1].As<Napi::Number>().Uint32Value(),
                                           info[2].As<Napi::Boolean>(), info[3].As<Napi::Boolean>()));
}

// setInterest(slot, interest) -> 0 or failure
Napi::Value set_interest(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), environment_of(info).set_interest(
                                           info[0].As<Napi::Number>().Int32Value(),
                                           info[1].As<Napi::Number>().Uint32Value()));
}

// setReferenced(slot, referenced)
void set_referenced(const Napi::CallbackInfo& info) {
  environment_of(info).set_referenced(info[0].As<Napi::Number>().Int32Value(),
                                      info[1].As<Napi::Boolean>());
}

// uncaught(error): what a listener threw, on its way to 'uncaughtException'
napi_value uncaught(napi_env env, napi_callback_info info) {
  napi_fatal_exception(env, Arguments(env, info).values[0]);
  return nullptr;
}

// close(fd) -> the slots of waits and watches that it interrupts
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
  result.Set("watches", statistics.watches);
  result.Set("timed", statistics.timed);
  result.Set("registered", statistics.registered);
  result.Set("armed", statistics.armed);
  return result;
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  Environment* environment = Environment::create(env);
  if (!environment) {
    Napi::Error::New(env, "this environment is ending").ThrowAsJavaScriptException();
    return exports;
  }
  define(exports, "start", start, environment);
  define(exports, "cancel", cancel, environment);
  define(exports, "uncaught", uncaught, environment);
  exports.Set("watch", Napi::Function::New<watch>(env, "watch", environment));
  exports.Set("setInterest", Napi::Function::New<set_interest>(env, "setInterest", environment));
  exports.Set("setReferenced",
              Napi::Function::New<set_referenced>(env, "setReferenced", environment));
  exports.Set("connect", Napi::Function::New<connect>(env, "connect", environment));
  exports.Set("startSelect", Napi::Function::New<start_select>(env, "startSelect", environment));
  exports.Set("selection", Napi::Function::New<selection>(env, "selection", environment));
  exports.Set("close", Napi::Function::New<close>(env, "close", environment));
  exports.Set("statistics", Napi::Function::New<statistics>(env, "statistics", environment));

  export_io(exports);
  export_poller(exports);

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
