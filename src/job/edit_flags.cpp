#include "job/edit_flags.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "ir/extract.h"
#include "job/fixed_input.h"
#include "ops/registry.h"
#include "passes/edit.h"
#include "support/nearest.h"

namespace edgec {
namespace {

std::vector<std::string> split(const std::string &text, char at) {
  std::vector<std::string> parts;
  for (std::size_t from = 0; from <= text.size();) {
    const std::size_t to = std::min(text.find(at, from), text.size());
    if (to > from) parts.push_back(text.substr(from, to - from));
    from = to + 1;
  }
  return parts;
}

/// "4", "N", "?".
Result<Dim> parse_dim(const std::string &text) {
  std::int64_t size = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
  const bool whole = error == std::errc{} && end == text.data() + text.size();
  if (whole && size >= 0 && size <= std::int64_t{1} << 31) return Dim::known(size);
  if (text == "?") return Dim::unknown();
  const bool number_like = text.empty() || text.find_first_not_of("+-.0123456789") == std::string::npos;
  if (number_like) return usage_error(fmt::format("'{}' is not a dimension: a number, a name, or ?", text));
  return Dim::named(text);
}

Result<ShapeEdit> parse_shape(const std::string &text) {
  const std::size_t equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0)
    return usage_error(fmt::format("'{}' is not NAME=DIMS, such as x=1,3,224,224", text));
  ShapeEdit edit{text.substr(0, equals), {}};
  for (const std::string &part : split(text.substr(equals + 1), ',')) {
    EDGEC_ASSIGN(Dim dim, parse_dim(part));
    edit.shape.push_back(std::move(dim));
  }
  return edit;
}

/// The values of one side of --extract; the name that there is none of, where one is wrong.
struct Side {
  std::vector<ValueId> values;
  std::string unknown;
};

Side resolve(const Graph &graph, const std::string &text) {
  Side side;
  for (const std::string &name : split(text, ',')) {
    const auto output = std::ranges::find(graph.outputs(), name, &GraphOutput::name);
    const auto values = graph.values();
    const auto value = std::ranges::find_if(values, [&](ValueId id) { return graph.value(id).name == name; });
    if (output != graph.outputs().end())
      side.values.push_back(output->value);
    else if (value != values.end())
      side.values.push_back(*value);
    else if (side.unknown.empty())
      side.unknown = name;
  }
  return side;
}

/// Names may hold colons: the one that separates is the first that leaves known names on both sides.
Status extract_part(Graph &graph, const std::string &text) {
  std::string unknown;
  for (std::size_t colon = text.find(':'); colon != std::string::npos; colon = text.find(':', colon + 1)) {
    const Side inputs = resolve(graph, text.substr(0, colon)), outputs = resolve(graph, text.substr(colon + 1));
    unknown = inputs.unknown.empty() ? outputs.unknown : inputs.unknown;
    if (!unknown.empty()) continue;
    for (const ValueId id : inputs.values)
      if (graph.value(id).type.is_quantized())
        return unsupported(fmt::format("{} is quantized: it cannot become an input", graph.value(id).name));
    EDGEC_ASSIGN(graph, extract(graph, inputs.values, outputs.values));
    return {};
  }
  if (unknown.empty()) return usage_error(fmt::format("'{}' is not INPUTS:OUTPUTS, such as x:relu1,relu2", text));
  std::vector<std::string> names;
  for (const ValueId id : graph.values()) names.push_back(graph.value(id).name);
  return usage_error(fmt::format("no value is named '{}'{}", unknown, did_you_mean(unknown, names)));
}

/// Stored values of inputs that are none any more go.
void drop_defaults(Model &model) {
  std::erase_if(model.input_defaults, [&](const auto &entry) {
    return std::ranges::none_of(model.graph.inputs(),
                                [&](ValueId id) { return model.graph.value(id).name == entry.first; });
  });
}

} // namespace

void EditFlags::declare(Options &options) {
  options.group("Editing");
  options
      .add("--input-shape", "NAME=DIMS", &input_shapes,
           "another shape for an input: numbers, names, ?; or N=4 for a symbolic dimension; may be given again")
      .records();
  options.add("--batch", "N|dynamic", &batch, "another batch size, or its name: the first dimension of the inputs")
      .records();
  declare_fixed(options);
  options
      .add("--extract", "INPUTS:OUTPUTS", &extract,
           "only the part between these values (names separated by commas; nothing: those of the network)")
      .records();
}

void EditFlags::declare_fixed(Options &options) {
  options
      .add("--fix-input", "NAME=VALUE", &fixed_inputs,
           "an input becomes a constant: one value for all its elements, or all of them separated by commas; may be "
           "given again")
      .records();
}

Status EditFlags::apply(Model &model) const {
  std::vector<ShapeEdit> edits;
  for (const std::string &text : input_shapes) {
    auto edit = parse_shape(text);
    if (!edit) return std::move(edit).error().in("--input-shape");
    edits.push_back(std::move(*edit));
  }
  if (!edits.empty()) EDGEC_CHECK(set_input_shapes(model.graph, edits).in("--input-shape"));
  EDGEC_CHECK(infer_types(model.graph, all_ops()));
  if (!batch.empty()) {
    auto dim = batch == "dynamic" ? Result<Dim>(Dim::unknown()) : parse_dim(batch);
    if (!dim || dim->size == 0)
      return usage_error(fmt::format("--batch: '{}' is neither a number, nor a name, nor 'dynamic'", batch));
    EDGEC_CHECK(set_batch(model.graph, *dim, all_ops(), model.notes).in("--batch"));
  }
  if (!fixed_inputs.empty()) {
    EDGEC_CHECK(fix_inputs(model.graph, fixed_inputs, skip_absent).in("--fix-input"));
    EDGEC_CHECK(infer_types(model.graph, all_ops()));
  }
  if (!extract.empty()) EDGEC_CHECK(extract_part(model.graph, extract).in("--extract"));
  drop_defaults(model);
  return {};
}

} // namespace edgec
