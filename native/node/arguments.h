// Plain Node-API for calls on hot paths, without the wrapper's bookkeeping. The callers in src/
// have validated the arguments; a wrong one yields -1 or null here, never undefined behaviour.
#pragma once

#include <napi.h>

#include <cstddef>
#include <cstdint>

namespace fdevent::node {

struct Arguments {
  static constexpr size_t kMax = 5;

  Arguments(napi_env env_, napi_callback_info info) : env(env_) {
    napi_get_cb_info(env, info, &count, values, nullptr, &data);
  }

  int32_t integer(size_t index) const {
    int32_t value = -1;
    if (index < count) {
      napi_get_value_int32(env, values[index], &value);
    }
    return value;
  }

  int64_t size(size_t index) const {
    int64_t value = -1;
    if (index < count) {
      napi_get_value_int64(env, values[index], &value);
    }
    return value;
  }

  // The memory of an Int32Array, and its length.
  int32_t* words(size_t index, size_t* length) const {
    napi_typedarray_type type;
    void* start = memory(index, &type, length);
    return start && type == napi_int32_array ? static_cast<int32_t*>(start) : nullptr;
  }
  // The memory of a Uint8Array, and its length. Which kind of array it is costs as much to ask as all
  // the rest, and has been seen to in JavaScript; of any other kind these are fewer bytes than it has.
  uint8_t* bytes(size_t index, size_t* length) const {
    return static_cast<uint8_t*>(memory(index, nullptr, length));
  }

  napi_env env;
  void* data = nullptr;
  size_t count = kMax;
  napi_value values[kMax];

 private:
  void* memory(size_t index, napi_typedarray_type* type, size_t* length) const {
    void* start = nullptr;
    if (index >= count || napi_get_typedarray_info(env, values[index], type, length, &start,
                                                   nullptr, nullptr) != napi_ok) {
      return nullptr;
    }
    // An empty array has no memory, and is none the worse for it.
    return *length == 0 ? const_cast<napi_value*>(values) : start;
  }
};

inline napi_value to_number(napi_env env, int32_t value) {
  napi_value result;
  napi_create_int32(env, value, &result);
  return result;
}

inline void define(Napi::Object exports, const char* name, napi_callback callback,
                   void* data = nullptr) {
  napi_value function;
  napi_create_function(exports.Env(), name, NAPI_AUTO_LENGTH, callback, data, &function);
  exports.Set(name, function);
}

}  // namespace fdevent::node
