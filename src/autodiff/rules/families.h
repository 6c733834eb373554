// The rules, one file a family.
#pragma once

#include <span>

#include "autodiff/rule.h"

namespace edgec::gradients {

std::span<const GradientRule> activations();
std::span<const GradientRule> arithmetic();
std::span<const GradientRule> normalizations();
std::span<const GradientRule> pools();
std::span<const GradientRule> products();
std::span<const GradientRule> quantization();
std::span<const GradientRule> reductions();
std::span<const GradientRule> shapes();

} // namespace edgec::gradients
