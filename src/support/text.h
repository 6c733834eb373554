// Words as people type them: letter case and spaces around them mean nothing. ASCII only.
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>

namespace edgec {

inline std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

/// Without the spaces and tabs around it.
inline std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  return first == text.npos ? std::string_view() : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// ".onnx" of "A.ONNX"; empty: there is none.
inline std::string lower_ending(const std::filesystem::path &path) { return lower(path.extension().string()); }

} // namespace edgec
