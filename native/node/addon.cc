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

// start(fd, interest, seconds, referenced) -> slot or failure
napi_value start(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  double seconds = 0;
  bool referenced = true;
  napi_get_value_double(env, arguments.values[2], &seconds);
  napi_get_value_bool(env, arguments.values[3], &referenced);
  return to_number(
      env, static_cast<Environment*>(arguments.data)
               ->start(arguments.integer(0), static_cast<Interest>(arguments.integer(1)), seconds,
                       referenced));
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

// next() -> the count of records in a further batch of the present callback
napi_value next(napi_env env, napi_callback_info info) {
  return to_number(env, static_cast<Environment*>(Arguments(env, info).data)->next_in_callback());
}

// cancel(slot) -> the outcome of a transfer that was done already, or 0
napi_value cancel(napi_env env, napi_callback_info info) {
  const Arguments arguments(env, info);
  return to_number(env, static_cast<Environment*>(arguments.data)->cancel(arguments.integer(0)));
}

// watch(fd, interest, edge, referenced) -> slot or failure
Napi::Value watch(const Napi::CallbackInfo& info) {
  return Napi::Number::New(
      info.Env(),
      environment_of(info).watch(info[0].As<Napi::Number>().Int32Value(),
                                 info[1].As<Napi::Number>().Uint32Value(),
                                 info[2].As<Napi::Boolean>(), info[3].As<Napi::Boolean>()));
}

// setInterest(slot, interest) -> 0 or failure
Napi::Value set_interest(const Napi::CallbackInfo& info) {
  return Napi::Number::New(
      info.Env(), environment_of(info).set_interest(info[0].As<Napi::Number>().Int32Value(),
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

Napi::Array to_array(Napi::Env env, const std::vector<Slot>& slots) {
  const Napi::Array result = Napi::Array::New(env, slots.size());
  for (size_t i = 0; i < slots.size(); ++i) {
    result.Set(static_cast<uint32_t>(i), slots[i]);
  }
  return result;
}

// streamOpen(fd) -> slot or failure
Napi::Value stream_open(const Napi::CallbackInfo& info) {
  return Napi::Number::New(
      info.Env(), environment_of(info).open_stream(info[0].As<Napi::Number>().Int32Value()));
}

// streamIntact(slot) -> whether its number still means what was registered
Napi::Value stream_intact(const Napi::CallbackInfo& info) {
  return Napi::Boolean::New(
      info.Env(), environment_of(info).stream_intact(info[0].As<Napi::Number>().Int32Value()));
}

// streamClose(slot) -> the slots of waits that it interrupts
Napi::Value stream_close(const Napi::CallbackInfo& info) {
  std::vector<Slot> interrupted;
  environment_of(info).close_stream(info[0].As<Napi::Number>().Int32Value(), &interrupted);
  return to_array(info.Env(), interrupted);
}

// streamProgress(slot) -> how many bytes of a write have gone
Napi::Value stream_progress(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(),
                           environment_of(info).progress(info[0].As<Napi::Number>().Int32Value()));
}

struct StreamArguments : Arguments {
  StreamArguments(napi_env environment, napi_callback_info info) : Arguments(environment, info) {
    napi_get_value_double(env, values[2], &seconds);
    napi_get_value_bool(env, values[3], &referenced);
  }
  Environment& target() const { return *static_cast<Environment*>(data); }
  double seconds = 0;
  bool referenced = true;
};

// streamRead(stream, array, seconds, referenced) -> as Transfers::read
napi_value stream_read(napi_env env, napi_callback_info info) {
  const StreamArguments all(env, info);
  return to_number(env, all.target().transfer([&](Transfers& transfers) {
    return transfers.read(all.integer(0), all.values[1], all.seconds, all.referenced);
  }));
}

// streamWrite(stream, array, seconds, referenced) -> as Transfers::write
napi_value stream_write(napi_env env, napi_callback_info info) {
  const StreamArguments all(env, info);
  return to_number(env, all.target().transfer([&](Transfers& transfers) {
    return transfers.write(all.integer(0), all.values[1], all.seconds, all.referenced);
  }));
}

// streamWait(stream, interest, seconds, referenced) -> slot or failure
napi_value stream_wait(napi_env env, napi_callback_info info) {
  const StreamArguments all(env, info);
  return to_number(
      env, all.target().start_attached(all.integer(0), static_cast<Interest>(all.integer(1)),
                                       all.seconds, all.referenced));
}

// close(fd) -> the slots of waits that it interrupts
Napi::Value close(const Napi::CallbackInfo& info) {
  std::vector<Slot> interrupted;
  environment_of(info).close(info[0].As<Napi::Number>().Int32Value(), &interrupted);
  return to_array(info.Env(), interrupted);
}

Napi::Value statistics(const Napi::CallbackInfo& info) {
  const core::Reactor::Statistics statistics = environment_of(info).reactor().statistics();
  const Napi::Object result = Napi::Object::New(info.Env());
  result.Set("waits", statistics.waits);
  result.Set("watches", statistics.watches);
  result.Set("streams", statistics.streams);
  result.Set("timed", statistics.timed);
  result.Set("registered", statistics.registered);
  result.Set("armed", statistics.armed);
  return result;
}

// driver() -> its name
Napi::Value driver(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), environment_of(info).driver());
}

// connect(records, dispatch, threaded) -> the functions of a reactor of its own
Napi::Value connect(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Environment* environment = Environment::create(env, info[0], info[1], info[2].ToBoolean());
  if (!environment) {
    return env.Undefined();
  }
  const Napi::Object reactor = Napi::Object::New(env);
  define(reactor, "start", start, environment);
  define(reactor, "cancel", cancel, environment);
  define(reactor, "next", next, environment);
  define(reactor, "streamRead", stream_read, environment);
  define(reactor, "streamWrite", stream_write, environment);
  define(reactor, "streamWait", stream_wait, environment);
  const auto method = [&](const char* name, auto function) { reactor.Set(name, function); };
  method("startSelect", Napi::Function::New<start_select>(env, "startSelect", environment));
  method("selection", Napi::Function::New<selection>(env, "selection", environment));
  method("watch", Napi::Function::New<watch>(env, "watch", environment));
  method("setInterest", Napi::Function::New<set_interest>(env, "setInterest", environment));
  method("setReferenced", Napi::Function::New<set_referenced>(env, "setReferenced", environment));
  method("streamOpen", Napi::Function::New<stream_open>(env, "streamOpen", environment));
  method("streamClose", Napi::Function::New<stream_close>(env, "streamClose", environment));
  method("streamIntact", Napi::Function::New<stream_intact>(env, "streamIntact", environment));
  method("streamProgress",
         Napi::Function::New<stream_progress>(env, "streamProgress", environment));
  method("close", Napi::Function::New<close>(env, "close", environment));
  method("driver", Napi::Function::New<driver>(env, "driver", environment));
  method("statistics", Napi::Function::New<statistics>(env, "statistics", environment));
  return reactor;
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  exports.Set("connect", Napi::Function::New<connect>(env, "connect"));
  define(exports, "uncaught", uncaught);
  exports.Set("pendingTransfer", Transfers::kPending);
  export_io(exports);
  export_poller(exports);

  // In the order of core::Syscall.
  const Napi::Array syscalls = Napi::Array::New(env);
  const char* const names[] = {backend::Backend::kCreate,
                               backend::Backend::kControl,
                               backend::Backend::kWait,
                               backend::Backend::kTimer,
                               "poll",
                               "close",
                               "read",
                               "write"};
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
