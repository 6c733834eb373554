#include "calibrate/range_table.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace edgec {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view format_name = "edgec ranges 1";

/// Bins as pairs of number and count, those that hold nothing left out.
Json to_json(const ValueStatistics &half) {
  Json bins = Json::array();
  if (half.histogram)
    half.histogram->for_each_bin([&](std::size_t bin, std::uint32_t count) { bins.push_back({bin, count}); });
  return {{"minimum", half.minimum}, {"maximum", half.maximum}, {"infinite", half.infinite}, {"bins", std::move(bins)}};
}

ValueStatistics statistics_of(const Json &json) {
  ValueStatistics half;
  half.minimum = json.at("minimum").get<float>();
  half.maximum = json.at("maximum").get<float>();
  half.infinite = json.at("infinite").get<bool>();
  if (!std::isfinite(half.minimum) || !std::isfinite(half.maximum) || half.minimum > half.maximum)
    throw std::invalid_argument("a range from minimum to maximum was expected");
  half.histogram = std::make_shared<LogHistogram>();
  for (const Json &bin : json.at("bins"))
    if (!half.histogram->add_bin(bin.at(0).get<std::size_t>(), bin.at(1).get<std::uint32_t>()))
      throw std::invalid_argument("there is no such bin");
  return half;
}

} // namespace

Status RangeTable::merge(const RangeTable &other) {
  if (other.model_sha256 != model_sha256 || other.values.size() != values.size())
    return bad_input("is of another network than the table before it");
  for (auto &[key, halves] : values) {
    const auto more = other.values.find(key);
    if (more == other.values.end()) return bad_input(fmt::format("has no ranges of {}", key));
    for (std::size_t half = 0; half < halves.size(); ++half) halves[half].merge(more->second[half], 1, 1);
  }
  samples += other.samples;
  return {};
}

std::string value_key(const Graph &graph, ValueId id) {
  const Value &value = graph.value(id);
  const Node *node = graph.producer(id);
  if (!value.name.empty() || node == nullptr) return value.name;
  const auto place = std::ranges::find(node->outputs, id) - node->outputs.begin();
  return fmt::format("{}:{}", node->label(), place);
}

std::string range_table_text(const RangeTable &table) {
  Json values = Json::object();
  for (const auto &[key, halves] : table.values) values[key] = {to_json(halves[0]), to_json(halves[1])};
  const Json json{{"format", format_name},
                  {"model_sha256", table.model_sha256},
                  {"samples", table.samples},
                  {"values", std::move(values)}};
  return json.dump(-1, ' ', true) + '\n';
}

Result<RangeTable> parse_range_table(std::string_view text) {
  RangeTable table;
  try {
    const Json json = Json::parse(text);
    if (json.at("format").get<std::string>() != format_name) return bad_input("was not written by edgec calibrate");
    table.model_sha256 = json.at("model_sha256").get<std::string>();
    table.samples = json.at("samples").get<std::size_t>();
    for (const auto &[key, halves] : json.at("values").items())
      table.values[key] = {statistics_of(halves.at(0)), statistics_of(halves.at(1))};
  } catch (const std::exception &error) {
    return bad_input(fmt::format("is not a table of edgec calibrate: {}", error.what()));
  }
  return table;
}

} // namespace edgec
