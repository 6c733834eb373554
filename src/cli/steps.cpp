#include "cli/steps.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

#include "support/cancel.h"
#include "support/nearest.h"

namespace edgec {
namespace {

template <class T>
bool parse_number(std::string_view text, T &value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

Result<std::size_t> place_of(const std::string &name, const std::vector<std::string> &names, std::string_view what) {
  const auto found = std::ranges::find(names, name);
  if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
  return usage_error(fmt::format("--feed: the network has no {} '{}'{}", what, name, did_you_mean(name, names)));
}

/// Entry `index` along the first axis; its numbers are whole bytes.
Tensor entry(const Tensor &all, std::int64_t index) {
  Tensor part = all;
  part.dims.erase(part.dims.begin());
  const auto size = static_cast<std::int64_t>(byte_size(part.dtype, part.size()));
  part.data =
      Storage::copy(all.data.bytes().subspan(static_cast<std::size_t>(index * size), static_cast<std::size_t>(size)));
  return part;
}

/// The index of the largest element of each last row (see StepFeed).
Tensor argmax(const Tensor &scores, DType dtype) {
  const auto values = to_doubles(scores);
  Dims dims = scores.dims;
  const auto width = static_cast<std::size_t>(dims.back());
  dims.pop_back();
  const std::size_t rows = dims.size() >= 2 ? static_cast<std::size_t>(dims.back()) : 1;
  if (dims.size() >= 2) dims.back() = 1;
  std::vector<std::int64_t> found;
  for (std::size_t row = rows - 1; (row + 1) * width <= values.size(); row += rows) {
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(row * width);
    found.push_back(std::max_element(begin, begin + static_cast<std::ptrdiff_t>(width)) - begin);
  }
  return from_int64s(dtype, std::move(dims), found);
}

/// What an output was at every step.
struct History {
  std::string name;
  bool fed = false; ///< where its shape changes (after a prompt), only what comes then is kept
  Tensor last;
  std::vector<std::byte> bytes;
  std::int64_t count = 0;

  Status add(const Tensor &value) {
    if (value.dtype == DType::string || bits(value.dtype) % 8 != 0)
      return unsupported(
          fmt::format("output {} is of type {}, of which steps are not kept", name, to_string(Type::of(value))));
    const bool changed = count > 0 && value.dims != last.dims;
    if (changed && fed) {
      bytes.clear();
      count = 0;
    } else if (changed) {
      return unsupported(fmt::format("output {} changes from {} to {} at step {}; --feed it, or give other inputs",
                                     name, to_string(Type::of(last)), to_string(Type::of(value)), count));
    }
    last = value;
    bytes.insert(bytes.end(), value.data.bytes().begin(), value.data.bytes().end());
    ++count;
    return {};
  }
  [[nodiscard]] Tensor all() {
    Dims dims = last.dims;
    dims.insert(dims.begin(), count);
    return Tensor::of_bytes(last.dtype, std::move(dims), std::move(bytes));
  }
};

} // namespace

Result<std::vector<StepFeed>> parse_feeds(std::span<const std::string> texts, const Graph &graph) {
  std::vector<std::string> inputs, outputs;
  for (const ValueId id : graph.inputs()) inputs.push_back(graph.value(id).name);
  for (const GraphOutput &output : graph.outputs()) outputs.push_back(output.name);
  std::vector<StepFeed> feeds;
  for (const std::string &text : texts) {
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos) return usage_error(fmt::format("--feed: '{}' does not read OUT=IN", text));
    StepFeed feed{.name = text.substr(0, equals)};
    std::string output = feed.name;
    feed.argmax =
        output.starts_with("argmax(") && output.ends_with(")") && std::ranges::find(outputs, output) == outputs.end();
    if (feed.argmax) output = output.substr(7, output.size() - 8);
    EDGEC_ASSIGN(feed.output, place_of(output, outputs, "output"));
    EDGEC_ASSIGN(feed.input, place_of(text.substr(equals + 1), inputs, "input"));
    if (std::ranges::find(feeds, feed.input, &StepFeed::input) != feeds.end())
      return usage_error(fmt::format("--feed: '{}' is fed twice", inputs[feed.input]));
    feeds.push_back(std::move(feed));
  }
  return feeds;
}

Result<std::vector<std::pair<std::string, Tensor>>> run_steps(Runner &runner, const Steps &steps) {
  const Graph &graph = runner.graph();
  std::vector<History> histories;
  for (const GraphOutput &output : graph.outputs()) histories.push_back({.name = output.name});
  const auto is_state = [&](std::size_t output) {
    return std::ranges::any_of(steps.feeds,
                               [&](const StepFeed &feed) { return !feed.argmax && feed.output == output; });
  };
  for (const StepFeed &feed : steps.feeds) histories[feed.output].fed = true;
  std::vector<History> chosen; // by feed
  for (const StepFeed &feed : steps.feeds) chosen.push_back({.name = feed.name});
  std::vector<Tensor> inputs = steps.first;
  for (std::int64_t step = 0; step < steps.count; ++step) {
    EDGEC_CHECK(check_interrupted());
    for (const auto &[input, all] : steps.sequences) inputs[input] = entry(all, step);
    EDGEC_ASSIGN(const auto outputs, runner.run_tensors(inputs).in(fmt::format("step {}", step)));
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (!is_state(i)) EDGEC_CHECK(histories[i].add(outputs[i]));
      histories[i].last = outputs[i];
    }
    for (std::size_t i = 0; i < steps.feeds.size(); ++i) {
      const StepFeed &feed = steps.feeds[i];
      const Tensor &value = outputs[feed.output];
      if (!feed.argmax) {
        inputs[feed.input] = value;
        continue;
      }
      if (value.rank() < 1 || value.dtype == DType::string || value.size() == 0)
        return bad_input(fmt::format("step {}: {} of {} is nothing", step, feed.name, to_string(Type::of(value))));
      inputs[feed.input] = argmax(value, inputs[feed.input].dtype);
      EDGEC_CHECK(chosen[i].add(inputs[feed.input]));
    }
  }
  std::vector<std::pair<std::string, Tensor>> results;
  for (std::size_t i = 0; i < histories.size(); ++i)
    results.emplace_back(histories[i].name, is_state(i) ? histories[i].last : histories[i].all());
  for (History &one : chosen)
    if (one.count > 0) results.emplace_back(one.name, one.all());
  return results;
}

Result<Tensor> filled_input(const std::string &text, const InputSpec &input) {
  const std::string rest = text.substr(std::string_view("full:").size());
  const std::size_t colon = rest.find(':');
  const auto wrong = [&](const std::string &why) {
    return usage_error(
        fmt::format("--input {}={}: {}; the network takes {}", input.name, text, why, to_string(input.type)));
  };
  double value = 0;
  if (!parse_number(std::string_view(rest).substr(0, colon), value))
    return wrong("it does not read full:VALUE or full:VALUE:2x3");
  if (!is_float(input.type.dtype) && !is_integer(input.type.dtype)) return wrong("it is not a number");
  auto dims = input.type.concrete();
  if (colon != std::string::npos) {
    dims = Dims();
    std::string_view list = std::string_view(rest).substr(colon + 1);
    while (!list.empty()) {
      const std::size_t x = std::min(list.find('x'), list.size());
      if (!parse_number(list.substr(0, x), dims->emplace_back()) || dims->back() < 0)
        return wrong("its dims do not read 2x3");
      list.remove_prefix(std::min(x + 1, list.size()));
    }
  }
  if (!dims) return wrong("it needs dims, as full:0:1x2x3");
  constexpr std::int64_t most = std::int64_t{1} << 28;
  const auto count = element_count(*dims);
  if (!count || *count > most) return wrong("it is too large");
  return from_doubles(input.type.dtype, *dims, std::vector<double>(static_cast<std::size_t>(*count), value));
}

} // namespace edgec
