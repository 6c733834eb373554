#include "calibrate/foreign_ranges.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "support/text.h"

namespace edgec {
namespace {

using Json = nlohmann::json;

ValueStatistics from_range(double low, double high) {
  if (!std::isfinite(low) || !std::isfinite(high) || low > high)
    throw std::invalid_argument(fmt::format("a range from {} to {}", low, high));
  ValueStatistics found;
  found.minimum = static_cast<float>(low), found.maximum = static_cast<float>(high);
  return found;
}

void add(RangeTable &table, const std::string &name, double low, double high) {
  const ValueStatistics range = from_range(low, high);
  const auto [known, added] = table.values.emplace(name, std::array{range, range});
  if (!added)
    for (ValueStatistics &half : known->second) // encodings per channel: all of them
      half.minimum = std::min(half.minimum, range.minimum), half.maximum = std::max(half.maximum, range.maximum);
}

/// One number, or a list of them.
std::vector<double> numbers(const Json &json) {
  return json.is_array() ? json.get<std::vector<double>>() : std::vector<double>{json.get<double>()};
}

/// Codes from `low` of `scale` and a number that is added to them.
void add_codes(RangeTable &table, const std::string &name, const std::vector<double> &scales,
               const std::vector<double> &offsets, double low, double high) {
  for (std::size_t i = 0; i < scales.size(); ++i) {
    const double offset = offsets.empty() ? 0 : offsets.at(std::min(i, offsets.size() - 1));
    add(table, name, scales[i] * (low + offset), scales[i] * (high + offset));
  }
}

/// {"min", "max", ...} or {"scale", "offset", "bitwidth"}: version 0.
void add_version_0(RangeTable &table, const std::string &name, const Json &encoding) {
  if (encoding.value("dtype", "int") == "float") return;
  if (encoding.contains("min") && encoding.contains("max"))
    return add(table, name, encoding.at("min").get<double>(), encoding.at("max").get<double>());
  add_codes(table, name, numbers(encoding.at("scale")), numbers(encoding.at("offset")), 0,
            std::exp2(encoding.at("bitwidth").get<int>()) - 1);
}

/// {"name", "bw", "scale": [...], "offset": [...]}: version 1; real = scale * (code + offset), code from 0.
void add_version_1(RangeTable &table, const Json &encoding) {
  if (lower(encoding.value("dtype", "INT")) == "float") return;
  add_codes(table, encoding.at("name"), numbers(encoding.at("scale")), numbers(encoding.at("offset")), 0,
            std::exp2(encoding.at("bw").get<int>()) - 1);
}

/// {"name", "output_dtype": "uint8", "y_scale", "y_zero_point"}: version 2, as QuantizeLinear has it.
void add_version_2(RangeTable &table, const Json &encoding) {
  const std::string type = encoding.at("output_dtype");
  const bool has_sign = type.starts_with("int");
  const std::size_t digits = type.find_first_of("0123456789");
  if (digits == std::string::npos || type.find("float") != std::string::npos) return;
  const int width = std::stoi(type.substr(digits));
  std::vector<double> offsets;
  if (encoding.contains("y_zero_point") && !encoding.at("y_zero_point").is_null())
    for (const double zero : numbers(encoding.at("y_zero_point"))) offsets.push_back(-zero);
  const double low = has_sign ? -std::exp2(width - 1) : 0;
  add_codes(table, encoding.at("name"), numbers(encoding.at("y_scale")), offsets, low, low + std::exp2(width) - 1);
}

/// What is none of ours but has encodings.
std::optional<RangeTable> encodings_of(const Json &json) {
  if (!json.is_object()) return std::nullopt;
  RangeTable table;
  table.complete = false;
  if (const auto found = json.find("activation_encodings"); found != json.end()) {
    if (found->is_array())
      for (const Json &encoding : *found) add_version_1(table, encoding);
    else
      for (const auto &[name, list] : found->items())
        for (const Json &encoding : list) add_version_0(table, name, encoding);
    return table;
  }
  if (const auto found = json.find("encodings"); found != json.end()) {
    for (const Json &encoding : *found) add_version_2(table, encoding);
    return table;
  }
  return std::nullopt;
}

/// "TRT-8601-EntropyCalibration2", then "input: 3c010a14": the bits of a float, largest |x| / 127.
RangeTable cache_of(std::string_view text) {
  RangeTable table;
  table.complete = false;
  constexpr double levels = 127;
  for (std::size_t at = text.find('\n'), end = 0; at != text.npos && at + 1 < text.size(); at = end) {
    end = text.find('\n', at + 1);
    std::string_view line = text.substr(at + 1, end == text.npos ? end : end - at - 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (trim(line).empty()) continue;
    const std::size_t colon = line.rfind(": ");
    std::uint32_t bits = 0;
    const std::string_view hex = colon == line.npos ? line : line.substr(colon + 2);
    const auto [stop, error] = std::from_chars(hex.data(), hex.data() + hex.size(), bits, 16);
    if (colon == line.npos || error != std::errc() || stop != hex.data() + hex.size())
      throw std::invalid_argument(fmt::format("'{}': NAME: eight hexadecimal digits were expected", line));
    const double most = levels * static_cast<double>(std::bit_cast<float>(bits));
    add(table, std::string(line.substr(0, colon)), -most, most);
  }
  return table;
}

/// What codes of each value stand for, by its key.
std::map<std::string, Range> ranges_of(const RangeTable &table, const RangeChoice &choice) {
  std::map<std::string, Range> found;
  for (const auto &[key, halves] : table.values) {
    ValueStatistics all = halves[0];
    all.merge(halves[1], 1, 1);
    if (all.infinite || all.minimum >= all.maximum) continue;
    found[key] = choose_range(all, choice.method, choice.percentile);
  }
  return found;
}

/// Steps of 8 bits from `low` on; AIMET's offset is added to codes, ONNX's zero point subtracted.
struct Encoding {
  double scale, low;
  int offset;
};
constexpr int codes = 255;

Encoding encoding_of(Range range) {
  const Quant quant = asymmetric_quant(range, 8);
  const auto scale = static_cast<double>(quant.scale());
  return {scale, scale * -quant.zero_point(), -quant.zero_point()};
}

/// Version 0.6.1: lists of encodings by name.
std::string aimet_text(const std::map<std::string, Range> &ranges) {
  Json encodings = Json::object();
  for (const auto &[key, range] : ranges) {
    const Encoding found = encoding_of(range);
    encodings[key] = Json::array({{{"bitwidth", 8},
                                   {"dtype", "int"},
                                   {"is_symmetric", "False"},
                                   {"min", found.low},
                                   {"max", found.low + codes * found.scale},
                                   {"offset", found.offset},
                                   {"scale", found.scale}}});
  }
  const Json json{
      {"version", "0.6.1"}, {"activation_encodings", std::move(encodings)}, {"param_encodings", Json::object()}};
  return json.dump(2, ' ', true) + '\n';
}

/// Version 1.0.0, that --quantization_overrides of QNN's converters takes.
std::string qnn_text(const std::map<std::string, Range> &ranges) {
  Json encodings = Json::array();
  for (const auto &[key, range] : ranges) {
    const Encoding found = encoding_of(range);
    encodings.push_back({{"name", key},
                         {"bw", 8},
                         {"dtype", "INT"},
                         {"enc_type", "PER_TENSOR"},
                         {"is_sym", false},
                         {"offset", Json::array({found.offset})},
                         {"scale", Json::array({found.scale})}});
  }
  const Json json{
      {"version", "1.0.0"}, {"activation_encodings", std::move(encodings)}, {"param_encodings", Json::array()}};
  return json.dump(2, ' ', true) + '\n';
}

/// TensorRT reads a cache only where its first line names the calibrator in use: trtexec has this one.
std::string tensorrt_text(const std::map<std::string, Range> &ranges) {
  std::string text = "TRT-8601-EntropyCalibration2\n";
  for (const auto &[key, range] : ranges) {
    const float most = std::max(std::abs(range.low), std::abs(range.high));
    text += fmt::format("{}: {:08x}\n", key, std::bit_cast<std::uint32_t>(most / 127));
  }
  return text;
}

constexpr ForeignTable tables[] = {
    {"aimet", ".json", "encodings 0.6.1"},
    {"qnn", ".json", "encodings 1.0.0, for --quantization_overrides"},
    {"tensorrt", "", "a calibration cache"},
};

} // namespace

std::span<const ForeignTable> foreign_tables() { return tables; }

Result<std::string> foreign_ranges_text(const RangeTable &table, const ForeignTable &format,
                                        const RangeChoice &choice) {
  const auto ranges = ranges_of(table, choice);
  if (format.name == "aimet") return aimet_text(ranges);
  if (format.name == "qnn") return qnn_text(ranges);
  for (const auto &[key, range] : ranges)
    if (key.find_first_of("\r\n") != key.npos)
      return bad_input(fmt::format("value {}: a calibration cache has no words for line breaks in names", key));
  return tensorrt_text(ranges);
}

Result<std::optional<RangeTable>> parse_foreign_ranges(std::string_view text) {
  const bool cache = text.starts_with("TRT-");
  try {
    if (cache) return std::optional(cache_of(text));
    const Json json = Json::parse(text, nullptr, false);
    return json.is_discarded() ? std::nullopt : encodings_of(json);
  } catch (const std::exception &error) {
    return bad_input(fmt::format(
        "{}: {}", cache ? "is not a calibration cache of TensorRT" : "has encodings that are none", error.what()));
  }
}

} // namespace edgec
