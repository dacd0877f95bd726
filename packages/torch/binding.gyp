{
  # Everything about LibTorch (where it is, its ABI, whether it has CUDA) comes from scripts/find-libtorch.mjs.
  "targets": [
    {
      "target_name": "torch_native",
      "sources": [
        "native/addon.cc",
        "native/tensor_table.cc",
        "native/convert.cc",
        "native/dispatch.cc",
        "native/autograd.cc",
        "native/autocast.cc",
        "native/storage.cc",
        "native/generator.cc",
        "native/runtime.cc"
      ],
      "include_dirs": ["<!@(node scripts/find-libtorch.mjs --gyp include_dirs)"],
      "defines": ["NAPI_VERSION=8", "<!@(node scripts/find-libtorch.mjs --gyp defines)"],
      "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17", "-std=gnu++20"],
      "cflags_cc": [
        "<!@(node scripts/find-libtorch.mjs --gyp cflags)",
        "-fexceptions", "-frtti", "-O2", "-g0", "-fopenmp", "-fvisibility=hidden", "-Wno-deprecated-declarations"
      ],
      "ldflags": ["-fopenmp", "<!@(node scripts/find-libtorch.mjs --gyp ldflags)"],
      "libraries": ["<!@(node scripts/find-libtorch.mjs --gyp libraries)"]
    }
  ]
}
