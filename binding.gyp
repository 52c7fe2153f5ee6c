{
  "variables": {
    # `node-gyp configure -- -Dfdevent_backend=kqueue && node-gyp build` runs on Linux over libkqueue, where pkg-config finds it.
    "conditions": [
      ["OS=='linux'", {"fdevent_backend%": "epoll"}, {"fdevent_backend%": "kqueue"}],
    ],
  },
  "targets": [
    {
      "target_name": "fdevent",
      "sources": [
        "native/sys/probe.cc",
        "native/sys/process_fd.cc",
        "native/sys/descriptors.cc",
        "native/backend/<(fdevent_backend).cc",
        "native/core/registry.cc",
        "native/core/reactor.cc",
        "native/core/selects.cc",
        "native/core/turn.cc",
        "native/core/streams.cc",
        "native/core/sync_poller.cc",
        "native/node/driver.cc",
        "native/node/nested_driver.cc",
        "native/node/thread_driver.cc",
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
      "conditions": [
        ["OS=='linux'", {"ldflags": ["-Wl,--gc-sections"]}],
        ["OS=='mac'", {
          "xcode_settings": {
            "CLANG_CXX_LANGUAGE_STANDARD": "c++17",
            "GCC_OPTIMIZATION_LEVEL": "3",
            "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
            "MACOSX_DEPLOYMENT_TARGET": "11.0",
            "WARNING_CFLAGS": ["-Wall", "-Wextra"],
            "OTHER_LDFLAGS": ["-Wl,-dead_strip"],
          },
        }],
        ["fdevent_backend=='kqueue'", {"sources": ["native/backend/kqueue_events.cc"]}],
        ["OS=='linux' and fdevent_backend=='kqueue'", {
          "sources": ["native/backend/libkqueue.cc"],
          # By folders, because libkqueue 2.2's own flags name neither of them.
          "include_dirs": [
            "<!(pkg-config --variable=includedir libkqueue)",
            "<!(pkg-config --variable=includedir libkqueue)/kqueue",
          ],
          "libraries": [
            "-L<!(pkg-config --variable=libdir libkqueue)",
            "-Wl,-rpath,<!(pkg-config --variable=libdir libkqueue)",
            "-lkqueue",
          ],
        }],
      ],
    },
  ],
}
