// A saved report, read without trust: what is absent or of another kind is not there.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "support/table.h"

namespace edgec {

class View {
public:
  explicit View(const nlohmann::ordered_json &json) : json_(&json) {}

  [[nodiscard]] bool has(const char *key) const { return found(key) != nullptr; }
  /// Nothing below it where there is none.
  [[nodiscard]] View at(const char *key) const {
    static const nlohmann::ordered_json nothing;
    const auto *value = found(key);
    return View(value != nullptr ? *value : nothing);
  }
  [[nodiscard]] std::optional<double> number(const char *key) const {
    const auto *value = found(key);
    if (value == nullptr || !value->is_number()) return std::nullopt;
    const auto number = value->get<double>();
    return std::isfinite(number) ? std::optional(number) : std::nullopt;
  }
  [[nodiscard]] double number_or(const char *key, double otherwise) const { return number(key).value_or(otherwise); }
  [[nodiscard]] std::string text(const char *key) const {
    const auto *value = found(key);
    return value != nullptr && value->is_string() ? value->get<std::string>() : std::string();
  }
  [[nodiscard]] bool flag(const char *key) const {
    const auto *value = found(key);
    return value != nullptr && value->is_boolean() && value->get<bool>();
  }
  [[nodiscard]] std::vector<View> list(const char *key) const {
    std::vector<View> views;
    const auto *value = found(key);
    if (value != nullptr && value->is_array())
      for (const auto &element : *value) views.emplace_back(element);
    return views;
  }
  [[nodiscard]] std::vector<std::string> texts(const char *key) const {
    std::vector<std::string> found;
    for (const View &view : list(key))
      if (view.json_->is_string()) found.push_back(view.json_->get<std::string>());
    return found;
  }
  [[nodiscard]] std::vector<double> numbers(const char *key) const {
    std::vector<double> found;
    for (const View &view : list(key))
      if (view.json_->is_number()) found.push_back(view.json_->get<double>());
    return found;
  }
  [[nodiscard]] const nlohmann::ordered_json &json() const { return *json_; }

private:
  const nlohmann::ordered_json *json_;

  [[nodiscard]] const nlohmann::ordered_json *found(const char *key) const {
    if (!json_->is_object()) return nullptr;
    const auto place = json_->find(key);
    return place == json_->end() || place->is_null() ? nullptr : &*place;
  }
};

/// Bytes as people write them; a number of a saved file may be anything.
inline std::string bytes_text(double bytes) {
  return bytes_text(static_cast<std::uint64_t>(std::clamp(bytes, 0.0, 1e18)));
}

} // namespace edgec
