#include "job/coded_input.h"

#include <algorithm>

#include <fmt/format.h>

#include "ops/registry.h"
#include "schemes/int8/options.h"
#include "schemes/int8/uncoded.h"
#include "schemes/rate/options.h"
#include "schemes/scheme.h"
#include "schemes/stored/options.h"
#include "support/log.h"

namespace edgec {
namespace {

/// As --weights names it; empty: no such type.
std::string type_of_codes(const NumberSpec &number) {
  const std::string type = fmt::format("{}int{}", number.symmetric ? "" : "u", number.bits);
  constexpr std::string_view known[] = {"int8", "uint8", "int4", "uint4", "int3", "int2"};
  return std::ranges::find(known, type) == std::end(known) ? std::string() : type;
}

bool shares(const Settings &settings) {
  return std::ranges::any_of(wanted_schemes(settings),
                             [](const SchemeDef *scheme) { return scheme->name.starts_with("share-"); });
}

/// Layers that compute on reals get codes of the kind that they had, unless what was asked for says which.
CodedInput take_stored(const CodeKinds &kinds, Settings &settings) {
  const std::size_t layers = kinds.weights + kinds.dynamic;
  const bool chosen = settings.get<Int8Options>().wanted() || settings.get<StoredOptions>().wanted() ||
                      shares(settings) || rounds_weights(settings);
  if (chosen) {
    say(fmt::format("the weights of {} layers are codes already: what they stand for is compressed", layers));
    return {.uncodes = true};
  }
  if (kinds.dynamic > 0) settings.edit<Int8Options>().mode = "dynamic";
  const std::string type = type_of_codes(kinds.weight);
  auto &stored = settings.edit<StoredOptions>();
  stored.type = type.empty() ? "int8" : type;
  stored.block = kinds.weight.block;
  say(fmt::format("the weights of {} layers are codes already: they are again ({}{})", layers, stored.type,
                  kinds.dynamic > 0 ? ", values by the ranges that they have when the network runs" : ""));
  return {.uncodes = true};
}

/// `--weights TYPE` of layers that compute on codes.
Status take_weight_bits(const CodeKinds &kinds, Settings &settings) {
  auto &stored = settings.edit<StoredOptions>();
  const NumberSpec asked = stored.spec();
  if (!asked.symmetric || asked.bits < 3 || stored.block > 0 || stored.spares_ends())
    return usage_error(fmt::format("--weights {}{}: layers of this network compute on codes, whose weights are int8, "
                                   "int4 or int3 with a scale for each channel; --int8 weights gives up the codes of "
                                   "values",
                                   stored.type, stored.block > 0 ? " --block" : ""));
  settings.edit<Int8Options>().weight_bits = std::min(asked.bits, kinds.weight.bits);
  stored.type.clear();
  return {};
}

Result<CodedInput> take_static(const CodeKinds &kinds, Settings &settings, const std::optional<WholeCodes> &whole) {
  auto &int8 = settings.edit<Int8Options>();
  if (int8.wanted() && !int8.is_static()) return CodedInput{.uncodes = true}; // other kinds of codes were asked for
  if (shares(settings) && kinds.weights == 0) return CodedInput{}; // layers are of reals: values keep their codes
  if (shares(settings))
    return usage_error("--share: layers of this network compute on codes, and shared values are reals; --max-size, "
                       "--prune and --weights int4 make its codes smaller");
  const auto &rate = settings.get<RateOptions>();
  if (rate.max_drop && !rate.max_size && !rate.rate && !int8.wanted())
    return usage_error("--max-drop: layers of this network compute on codes; say how small they are to become with "
                       "--max-size or --rate");
  if (settings.get<StoredOptions>().wanted()) EDGEC_CHECK(take_weight_bits(kinds, settings));
  if (!int8.wanted()) int8.mode = "static";
  if (whole && whole->max_size < whole->bytes && kinds.weight.bits == 8 && int8.weight_bits == 8) {
    int8.weight_bits = 4;
    say("--max-size: this format stores codes whole, so weights get 4 bits (a file OUT.edgec has finer steps)");
  }
  const bool keeps = !int8.renews_values();
  say(fmt::format("{} values and the weights of {} layers are codes already: {}", kinds.values, kinds.weights,
                  keeps ? "values keep theirs, weights get codes anew" : "both get codes anew"));
  return CodedInput{.uncodes = true, .keeps = keeps, .frees = !keeps};
}

} // namespace

Result<CodedInput> take_codes(const Graph &graph, Settings &settings, const std::optional<WholeCodes> &whole) {
  const CodeKinds kinds = code_kinds(graph, all_ops());
  if (kinds.values + kinds.weights + kinds.dynamic == 0) return CodedInput{};
  const auto wanted = wanted_schemes(settings);
  const bool uncodes = std::ranges::any_of(
      wanted, [&](const SchemeDef *scheme) { return scheme->uncodes != nullptr && scheme->uncodes(settings); });
  const bool becomes_static = kinds.values == 0 && settings.get<Int8Options>().is_static();
  if (!uncodes && !becomes_static) return CodedInput{};
  return kinds.values == 0 ? Result<CodedInput>(take_stored(kinds, settings)) : take_static(kinds, settings, whole);
}

} // namespace edgec
