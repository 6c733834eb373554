// What --version prints.
#pragma once

#include <string>

namespace edgec {

/// "0.1.0".
std::string version();
/// "2026-11-29".
std::string release_date();
/// Versions of edgec, ONNX and oneDNN, and the processor's best instruction set; as lines or as JSON.
std::string version_text(bool json);

} // namespace edgec
