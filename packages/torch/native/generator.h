#pragma once
#include "napi_helpers.h"
#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

namespace omni {

at::Generator toGenerator(napi_env env, napi_value v);  // an object made by newGenerator, and nothing else
void exportGenerator(napi_env env, napi_value exports);

// The states of generators at the start of a piece of work, so that it can draw the same numbers once more. Those of
// the default generators are taken at once, of others when they are first used.
class GeneratorStates {
 public:
  explicit GeneratorStates(const std::vector<c10::Device>& devices);
  void note(const at::Generator& generator);
  void exchange();  // the kept states take the place of the present ones, and the other way round

  // While one lives, this thread's use of generators is noted in `states`, and in those noted to before.
  class Recording {
   public:
    explicit Recording(GeneratorStates& states);
    ~Recording();

   private:
    friend at::Generator toGenerator(napi_env env, napi_value v);
    GeneratorStates& states_;
    Recording* outer_;
  };

 private:
  std::vector<std::pair<at::Generator, at::Tensor>> list_;
};

}  // namespace omni
