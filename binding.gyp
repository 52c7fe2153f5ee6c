{
  "variables": {
    # `npm run build:native -- -- -Dfdevent_backend=NAME` forces one where a system offers two.
    "fdevent_backend%": "epoll",
  },
  "targets": [
    {
      "target_name": "fdevent",
      "sources": [
        "native/sys/probe.cc",
        "native/sys/process_fd.cc",
        "native/backend/<(fdevent_backend).cc",
        "native/core/registry.cc",
        "native/core/reactor.cc",
        "native/core/selects.cc",
        "native/core/turn.cc",
        "native/core/streams.cc",
        "native/core/sync_poller.cc",
        "native/node/nested_driver.cc",
        "native/node/environment.cc",
        "native/node/io.cc",
        "native/node/transfers.cc",
        "native/node/poller.cc",
        "native/node/addon.cc",
      ],
      "include_dirs": [
        "native",
        "<!(node -p \"require('node-addon-api').include_dir\")",
      ],
      "defines": [
        "NAPI_VERSION=8",
        "NODE_ADDON_API_DISABLE_DEPRECATED",
        "NODE_ADDON_API_DISABLE_CPP_EXCEPTIONS",
        "FDEVENT_BACKEND_HEADER=\"backend/<(fdevent_backend).h\"",
      ],
      "cflags_cc": ["-std=c++17", "-O3", "-Wall", "-Wextra", "-fvisibility=hidden"],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"],
      "ldflags": ["-Wl,--gc-sections"],
    },
  ],
}
