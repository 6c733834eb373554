// Whether a tensor fits a network's input.
#pragma once

#include <span>
#include <string>

#include "data/preprocess.h"
#include "ir/tensor.h"

namespace edgec {

/// "[1,3,224,224]".
std::string format_dims(std::span<const std::int64_t> dims);

/// An error where the dims differ from those that the input's type knows. With `any_batch` the first may differ.
Status check_fit(std::span<const std::int64_t> dims, const InputSpec &input, bool any_batch = false);

/// The fixed length of the input's first axis where it is larger than 1; else 1.
std::int64_t fixed_batch(const InputSpec &input);

/// `tensor` as the input's dtype: integers and truth values become floats, floats other floats, integers other integers
/// that hold every value. Errors: anything else.
Result<Tensor> convert(const Tensor &tensor, const InputSpec &input);

} // namespace edgec
