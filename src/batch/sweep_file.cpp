#include "batch/sweep_file.h"

#include <algorithm>
#include <filesystem>
#include <fmt/format.h>
#include <glob.h>
#include <nlohmann/json.hpp>

#include "support/nearest.h"

namespace edgec {
namespace {

using Json = nlohmann::ordered_json;
using Texts = std::vector<std::string>;

Result<std::string> typed(const Json &value, const std::string &key) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean() || value.is_number()) return value.dump();
  return usage_error(fmt::format("{}: is a table; a text, number, true, false or a list was expected", key));
}

/// One value, or the values of an option that may be given several times; false: it is not given.
Result<Texts> texts_of(const Json &value, const std::string &key) {
  Texts texts;
  if (value == Json(false)) return texts;
  if (!value.is_array()) {
    EDGEC_ASSIGN(texts.emplace_back(), typed(value, key));
    return texts;
  }
  for (const Json &entry : value) {
    EDGEC_ASSIGN(texts.emplace_back(), typed(entry, key));
  }
  return texts;
}

Result<OptionTexts> options_of(const Json &table, const std::string &name, std::string_view without = {}) {
  if (!table.is_object()) return usage_error(fmt::format("{}: a table of options was expected", name));
  OptionTexts options;
  for (const auto &[key, value] : table.items()) {
    if (key == without) continue;
    EDGEC_ASSIGN(Texts texts, texts_of(value, key));
    options.emplace_back(key, std::move(texts));
  }
  return options;
}

/// Later options win.
OptionTexts merged(std::initializer_list<const OptionTexts *> layers) {
  OptionTexts all;
  for (const OptionTexts *layer : layers)
    for (const auto &[key, texts] : *layer) {
      const auto known = std::ranges::find(all, key, [](const auto &entry) { return entry.first; });
      if (known == all.end())
        all.emplace_back(key, texts);
      else
        known->second = texts;
    }
  return all;
}

Status read_networks(const Json &file, SweepFile &sweep) {
  if (file.contains("networks")) {
    EDGEC_ASSIGN(const Texts paths, texts_of(file["networks"], "networks"));
    for (const std::string &path : paths) sweep.networks.emplace_back(path, OptionTexts{});
  }
  if (!file.contains("network")) return {};
  if (!file["network"].is_array()) return usage_error("network: tables were expected, each begun by [[network]]");
  for (const Json &network : file["network"]) {
    EDGEC_ASSIGN(OptionTexts options, options_of(network, "[[network]]", "model"));
    if (!network.contains("model")) return usage_error("[[network]]: model is missing, the path of the network");
    EDGEC_ASSIGN(const Texts paths, texts_of(network["model"], "model"));
    for (const std::string &path : paths) sweep.networks.emplace_back(path, options);
  }
  return {};
}

Status read_settings(const Json &file, SweepFile &sweep) {
  if (file.contains("setting")) {
    if (!file["setting"].is_array()) return usage_error("setting: tables were expected, each begun by [[setting]]");
    for (const Json &setting : file["setting"]) {
      EDGEC_ASSIGN(sweep.settings.emplace_back(), options_of(setting, "[[setting]]"));
    }
  }
  for (const OptionTexts &setting : sweep.settings)
    for (const auto &[key, texts] : setting)
      if (std::ranges::find(sweep.axes, key, &GridAxis::option) != sweep.axes.end())
        return usage_error(fmt::format("{}: is in a [[setting]] and in [grid]; one of them was expected", key));
  if (sweep.settings.empty()) sweep.settings.emplace_back();
  return {};
}

/// Every combination of one value of each axis.
std::vector<OptionTexts> points_of(const std::vector<GridAxis> &axes) {
  std::vector<OptionTexts> points{{}};
  for (const GridAxis &axis : axes) {
    std::vector<OptionTexts> longer;
    for (const OptionTexts &point : points)
      for (const Texts &value : axis.values) longer.emplace_back(point).emplace_back(axis.option, value);
    points = std::move(longer);
  }
  return points;
}

} // namespace

Result<std::vector<GridAxis>> parse_axes(const Json &grid) {
  if (!grid.is_object()) return usage_error("[grid]: a table of options was expected, each with a list of values");
  std::vector<GridAxis> axes;
  for (const auto &[key, list] : grid.items()) {
    if (!list.is_array() || list.empty()) return usage_error(fmt::format("[grid]: {}: a list was expected", key));
    GridAxis &axis = axes.emplace_back(GridAxis{key, {}});
    for (const Json &value : list) {
      EDGEC_ASSIGN(axis.values.emplace_back(), texts_of(value, key));
    }
  }
  return axes;
}

Result<std::vector<std::string>> matching_files(const std::string &pattern) {
  std::error_code ignored;
  if (std::filesystem::exists(pattern, ignored)) return Texts{pattern}; // a name may have brackets in it
  glob_t found{};
  Texts paths;
  if (::glob(pattern.c_str(), 0, nullptr, &found) == 0) paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  if (paths.empty()) return bad_input(fmt::format("{}: there is no such file", pattern));
  return paths;
}

Result<SweepFile> parse_sweep(const Json &file) {
  const Texts known{"networks", "network", "options", "grid", "setting"};
  for (const auto &[key, value] : file.items())
    if (std::ranges::find(known, key) == known.end())
      return usage_error(fmt::format("'{}' is not a part of a sweep file{}; there are {}", key,
                                     did_you_mean(key, known), fmt::join(known, ", ")));
  SweepFile sweep;
  EDGEC_CHECK(read_networks(file, sweep));
  if (sweep.networks.empty()) return usage_error("networks: is missing, a list of paths or patterns");
  if (file.contains("options")) {
    EDGEC_ASSIGN(sweep.options, options_of(file["options"], "[options]"));
  }
  if (file.contains("grid")) {
    EDGEC_ASSIGN(sweep.axes, parse_axes(file["grid"]));
  }
  EDGEC_CHECK(read_settings(file, sweep));
  return sweep;
}

std::vector<std::string> SweepFile::varied() const {
  Texts names;
  const auto add = [&](const std::string &name) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(name);
  };
  for (const OptionTexts &setting : settings)
    for (const auto &[key, texts] : setting) add(key);
  for (const GridAxis &axis : axes) add(axis.option);
  return names;
}

Result<std::vector<Combination>> SweepFile::combinations() const {
  const std::vector<OptionTexts> points = points_of(axes);
  std::vector<Combination> all;
  for (const auto &[pattern, own] : networks) {
    EDGEC_ASSIGN(const Texts paths, matching_files(pattern));
    for (const std::string &path : paths)
      for (const OptionTexts &setting : settings)
        for (const OptionTexts &point : points) all.push_back({path, merged({&options, &own, &setting, &point})});
  }
  return all;
}

} // namespace edgec
