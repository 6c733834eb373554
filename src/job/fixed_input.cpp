#include "job/fixed_input.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "support/nearest.h"
#include "support/number.h"

namespace edgec {
namespace {

constexpr std::int64_t most_elements = std::int64_t{1} << 28;

std::vector<std::string> split_all(std::string_view text) {
  std::vector<std::string> parts;
  for (std::size_t comma = text.find(','); comma != std::string_view::npos; comma = text.find(',')) {
    parts.emplace_back(text.substr(0, comma));
    text.remove_prefix(comma + 1);
  }
  parts.emplace_back(text);
  return parts;
}

/// An integer's or bool's bits, as from_int64s() takes them.
std::optional<std::int64_t> whole(std::string_view text, DType dtype) {
  if (dtype == DType::boolean) {
    if (text == "true" || text == "1") return 1;
    return text == "false" || text == "0" ? std::optional<std::int64_t>(0) : std::nullopt;
  }
  if (dtype == DType::uint64) {
    const auto value = parse_number<std::uint64_t>(text);
    return value ? std::optional(static_cast<std::int64_t>(*value)) : std::nullopt;
  }
  const auto value = parse_number<std::int64_t>(text);
  if (!value || dtype == DType::int64) return value;
  const auto [least, most] = integer_range(dtype);
  return *value >= least && *value <= most ? value : std::nullopt;
}

/// A finite number that the type holds as an infinity is none of its elements.
std::optional<double> real(std::string_view text, DType dtype) {
  const auto value = parse_number<double>(text);
  if (!value || !std::isfinite(*value)) return value;
  return std::isfinite(to_doubles(from_doubles(dtype, {}, {&*value, 1})).front()) ? value : std::nullopt;
}

/// The dims of a constant of so many elements; 1 fills any.
Result<Dims> dims_for(const Type &type, std::int64_t given) {
  if (!type.shape) return given == 1 ? Dims{} : Dims{given};
  Dims dims;
  std::int64_t known = 1;
  std::optional<std::size_t> open;
  for (const Dim &dim : *type.shape) {
    if (!dim.is_known() && (open || given == 1)) return usage_error("its shape is not known; give --input-shape, too");
    if (!dim.is_known())
      open = dims.size();
    else if (dim.size > most_elements || (known *= dim.size) > most_elements)
      return usage_error("it is too large");
    dims.push_back(dim.is_known() ? dim.size : 1);
  }
  if (open && known > 0 && given % known == 0)
    dims[*open] = given / known;
  else if (open || (given != 1 && given != known))
    return usage_error(fmt::format("{} values are given", given));
  return dims;
}

/// The elements of one type from their texts, repeated where there is one for all.
template <class T, class Parse>
Result<std::vector<T>> elements(std::span<const std::string> texts, std::size_t count, Parse parse) {
  std::vector<T> values;
  for (const std::string &text : texts) {
    const auto value = parse(text);
    if (!value) return usage_error(fmt::format("'{}' is not an element of it", text));
    values.push_back(*value);
  }
  if (values.size() == 1) values.resize(count, T(values.front()));
  return values;
}

Result<Tensor> constant_of(const Type &type, const std::string &text) {
  if (!type.is_tensor() || type.is_quantized()) return usage_error("it is not a plain tensor");
  const auto texts = split_all(text);
  EDGEC_ASSIGN(const Dims dims, dims_for(type, static_cast<std::int64_t>(texts.size())));
  const auto count = static_cast<std::size_t>(element_count(dims).value_or(0));
  if (type.dtype == DType::string) {
    EDGEC_ASSIGN(auto values,
                 elements<std::string>(texts, count, [](const std::string &one) { return std::optional(one); }));
    return Tensor::of_strings(dims, std::move(values));
  }
  if (is_float(type.dtype)) {
    EDGEC_ASSIGN(const auto values,
                 elements<double>(texts, count, [&](const std::string &one) { return real(one, type.dtype); }));
    return from_doubles(type.dtype, dims, values);
  }
  if (!is_integer(type.dtype) && type.dtype != DType::boolean) return usage_error("there are no constants of its type");
  EDGEC_ASSIGN(const auto values,
               elements<std::int64_t>(texts, count, [&](const std::string &one) { return whole(one, type.dtype); }));
  return from_int64s(type.dtype, dims, values);
}

} // namespace

Status fix_inputs(Graph &graph, std::span<const std::string> texts, bool skip_absent) {
  std::vector<std::string> names, fixed;
  for (const ValueId id : graph.inputs()) names.push_back(graph.value(id).name);
  for (const std::string &text : texts) {
    const auto named = [&](const std::string &name) { return text.starts_with(name + "="); }; // names may hold "="
    const auto name = std::ranges::find_if(names, named);
    if (name == names.end()) {
      const std::string wanted = text.substr(0, text.find('='));
      if (wanted.size() == text.size() || wanted.empty())
        return usage_error(fmt::format("'{}' is not NAME=VALUE, such as sr=16000", text));
      if (skip_absent) continue;
      return usage_error(fmt::format("the network has no input named '{}'{}", wanted, did_you_mean(wanted, names)));
    }
    if (std::ranges::find(fixed, *name) != fixed.end())
      return usage_error(fmt::format("input {} is given twice", *name));
    fixed.push_back(*name);
    const ValueId input =
        *std::ranges::find_if(graph.inputs(), [&](ValueId id) { return graph.value(id).name == *name; });
    const Type type = graph.value(input).type;
    EDGEC_ASSIGN(
        Tensor value,
        constant_of(type, text.substr(name->size() + 1)).in(fmt::format("input {} is {}", *name, to_string(type))));
    graph.replace_uses(input, graph.add_constant(std::move(value), *name));
    graph.remove(input);
  }
  return {};
}

} // namespace edgec
