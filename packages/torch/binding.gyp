{
  # Everything about LibTorch (where it is, its ABI, whether it has CUDA) comes from scripts/find-libtorch.mjs.
  "targets": [
    {
      # setenv for worker threads; links nothing.
      "target_name": "process_environment",
      "sources": ["native/environment.cc"],
      "defines": ["NAPI_VERSION=8"],
      "cflags_cc": ["-O2", "-g0", "-fvisibility=hidden"]
    },
    {
      # Loops the compiler vectorises, once per instruction set; no LibTorch header comes near these flags.
      "target_name": "simd_loops",
      "type": "static_library",
      "sources": ["native/kernels/simd_generic.cc", "native/kernels/simd_avx2.cc", "native/kernels/simd_avx512.cc", "native/kernels/simd_avx512bf16.cc", "native/kernels/simd_amx.cc", "native/kernels/simd_choose.cc"],
      "cflags_cc!": ["-std=gnu++17", "-std=gnu++20"],
      "cflags_cc": ["-std=c++17", "-O3", "-fno-math-errno", "-fno-trapping-math", "-fopenmp-simd", "-fPIC", "-fvisibility=hidden", "-g0"]
    },
    {
      "target_name": "torch_native",
      "dependencies": ["simd_loops"],
      "sources": [
        "native/addon.cc",
        "native/references.cc",
        "native/backing_store.cc",
        "native/tensor_table.cc",
        "native/convert.cc",
        "native/dispatch.cc",
        "native/meta_fallback.cc",
        "native/autograd.cc",
        "native/checkpoint.cc",
        "native/autocast.cc",
        "native/storage.cc",
        "native/generator.cc",
        "native/runtime.cc",
        "native/profile.cc",
        "native/accelerator.cc",
        "native/memory.cc",
        "native/rehearsal/session.cc",
        "native/rehearsal/fallback.cc",
        "native/rehearsal/rules.cc",
        "native/rehearsal/flash.cc",
        "native/gradient_sync.cc",
        "native/distributed/exports.cc",
        "native/distributed/roll_call.cc",
        "native/distributed/group.cc",
        "native/distributed/gradient_buckets.cc",
        "native/kernels/library.cc",
        "native/kernels/kernel_support.cc",
        "native/kernels/attention.cc",
        "native/kernels/gelu.cc",
        "native/kernels/layer_norm.cc",
        "native/kernels/modulate.cc",
        "native/kernels/qk_norm.cc",
        "native/kernels/optimizers.cc"
      ],
      "include_dirs": ["<!@(node scripts/find-libtorch.mjs --gyp include_dirs)"],
      "defines": ["NAPI_VERSION=8", "<!@(node scripts/find-libtorch.mjs --gyp defines)"],
      "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++17", "-std=gnu++20"],
      "cflags_cc": [
        "<!@(node scripts/find-libtorch.mjs --gyp cflags)", "-fexceptions", "-frtti", "-O2", "-g0", "-fopenmp", "-fvisibility=hidden", "-Wno-deprecated-declarations"
      ],
      "ldflags": ["-fopenmp", "<!@(node scripts/find-libtorch.mjs --gyp ldflags)"],
      "libraries": ["<!@(node scripts/find-libtorch.mjs --gyp libraries)"]
    }
  ]
}
