#include "measure/metric.h"

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fmt/format.h>
#include <functional>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>
#include <span>

#include "data/npy.h"
#include "support/file.h"
#include "support/process.h"

namespace edgec {
namespace {

using Json = nlohmann::ordered_json;

/// One output of calls one after another along the first axis.
Tensor joined(std::span<const CallOutputs> calls, std::size_t output) {
  Dims dims = calls.front().outputs[output].dims;
  std::vector<double> values;
  for (const CallOutputs &call : calls)
    values.insert(values.end(), call.outputs[output].values.begin(), call.outputs[output].values.end());
  if (!dims.empty())
    dims[0] = std::transform_reduce(calls.begin(), calls.end(), std::int64_t{0}, std::plus(),
                                    [&](const CallOutputs &call) { return call.outputs[output].dims[0]; });
  return from_doubles(calls.front().outputs[output].integers ? DType::int64 : DType::float32, dims, values);
}

/// Whether the rows of all calls make one array.
bool can_join(std::span<const CallOutputs> calls, std::size_t output) {
  const Dims &first = calls.front().outputs[output].dims;
  return !first.empty() && std::ranges::all_of(calls, [&](const CallOutputs &call) {
    const Dims &dims = call.outputs[output].dims;
    return dims.size() == first.size() && dims[0] == static_cast<std::int64_t>(call.rows) &&
           std::equal(dims.begin() + 1, dims.end(), first.begin() + 1);
  });
}

bool has_numbers(std::span<const CallOutputs> calls, std::size_t output) {
  return !calls.empty() && std::ranges::all_of(calls, [&](const CallOutputs &call) {
    return !call.outputs[output].dims.empty() || !call.outputs[output].values.empty();
  });
}

/// A name for files that none of `taken` has.
std::string file_name(std::string name, std::set<std::string> &taken) {
  for (char &c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && std::string_view("._-").find(c) == std::string_view::npos)
      c = '_';
  if (name.empty() || name.front() == '.') name = "_" + name;
  while (!taken.insert(name).second) name += "_";
  return name;
}

Status write_outputs(const NetworkOutputs &outputs, const std::filesystem::path &folder) {
  const std::span<const CallOutputs> calls = outputs.calls;
  Json samples = Json::array(), list = Json::array();
  for (const CallOutputs &call : calls) samples.push_back(call.label);
  std::set<std::string> taken;
  for (std::size_t i = 0; i < outputs.names.size(); ++i) {
    if (!has_numbers(calls, i)) continue;
    const std::string name = file_name(outputs.names[i], taken);
    const std::size_t together = can_join(calls, i) ? calls.size() : 1;
    Json files = Json::array();
    for (std::size_t at = 0; at < calls.size(); at += together) {
      files.push_back(together == calls.size() ? name + ".npy" : fmt::format("{}.{:06}.npy", name, at));
      EDGEC_CHECK(save_npy(folder / files.back().get<std::string>(), joined(calls.subspan(at, together), i), false));
    }
    list.push_back({{"name", outputs.names[i]}, {"files", std::move(files)}});
  }
  const std::string text =
      Json{{"samples", samples}, {"outputs", list}}.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  return write_file(folder / "outputs.json", text, false);
}

Result<double> run_command(const std::string &command, const NetworkOutputs &outputs) {
  EDGEC_ASSIGN(const TemporaryFolder folder, TemporaryFolder::make());
  EDGEC_CHECK(write_outputs(outputs, folder.path()));
  std::string filled = command;
  constexpr std::string_view placeholder = "{outputs}";
  const std::string word = shell_word(folder.path().string());
  for (std::size_t at = 0; (at = filled.find(placeholder, at)) != std::string::npos; at += word.size())
    filled.replace(at, placeholder.size(), word);
  const auto printed = output_of(filled);
  if (!printed) return Error{printed.error().code, printed.error().message}.in("--metric-command");
  const Json number = Json::parse(*printed, nullptr, false);
  if (!number.is_number())
    return bad_input(fmt::format("--metric-command: {}: printed '{}'; one JSON number was expected", filled,
                                 printed->substr(0, printed->find_last_not_of(" \n") + 1)));
  return number.get<double>();
}

} // namespace

Metric command_metric(std::string command) {
  return {"command",
          [command = std::move(command)](const NetworkOutputs &outputs) { return run_command(command, outputs); }};
}

} // namespace edgec
