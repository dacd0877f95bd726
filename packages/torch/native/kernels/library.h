// Where our own operators are registered in LibTorch's dispatcher.
#pragma once
#include <string>
#include <torch/library.h>

namespace omni {

const std::string kLibraryName = "omni_id";
// Registers our operators when first asked; "omni_id", or another name where a copy of this addon already has that one.
const std::string& libraryNamespace();

void defineAttention(torch::Library& library);
void defineGelu(torch::Library& library);
void defineLayerNorm(torch::Library& library);
void defineModulate(torch::Library& library);
void defineQkNorm(torch::Library& library);
void defineOptimizers(torch::Library& library);
void defineFlash(torch::Library& library);

}  // namespace omni
