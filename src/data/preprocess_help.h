// What `--preprocess` understands, for people.
#pragma once

#include <string>

namespace edgec {

/// The help of the flag itself.
inline constexpr const char *preprocess_flag_help =
    "how images become tensors: torchvision, keras-mobilenet, caffe, unit, ..., FILE.json:ENTRY, or "
    "resize=256,crop=224,...; 'edgec help preprocess' explains them";

/// Presets, keys and files: what `edgec help preprocess` prints.
std::string preprocess_help();

} // namespace edgec
