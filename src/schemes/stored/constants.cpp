#include "schemes/stored/constants.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "ir/node_view.h"
#include "passes/bodies.h"
#include "support/cancel.h"

namespace edgec {
namespace passes {
extern const PassDef constants_to_initializers;
}
namespace {

/// Float constants of fewer bytes are not worth a word.
constexpr std::size_t worth_a_word = 1024;

constexpr std::array recurrent{"LSTM", "GRU", "RNN"};

/// How a reader sees a constant: as rows of output channels, each a sum along `sums`; as a table; or as rows that it
/// moves elsewhere.
struct Reading {
  int channels = 0, sums = -1;
  bool stacked = false, table = false, moved = false;
};

/// The value in a sub-graph that stands for capture `index` of a node, and that sub-graph.
std::pair<const Graph *, ValueId> captured(const Node &node, std::size_t index) {
  for (const Attribute &attribute : node.attributes) {
    const auto look = [&](const SubGraph &body) {
      const auto &captures = body->captures();
      if (index < captures.size()) return true;
      index -= captures.size();
      return false;
    };
    if (const auto *one = std::get_if<SubGraph>(&attribute.value); one && look(*one))
      return {one->get(), (*one)->captures()[index]};
    if (const auto *many = std::get_if<std::vector<SubGraph>>(&attribute.value))
      for (const SubGraph &body : *many)
        if (look(body)) return {body.get(), body->captures()[index]};
  }
  return {nullptr, {}};
}

/// How some reader sees a value; nothing where none of them has weights.
std::optional<Reading> reading_of(const Graph &graph, ValueId id, const StoreRequest &request, const Job &job,
                                  bool body = false);

std::optional<Reading> weight_reading(const Graph &graph, const Node &node, std::size_t operand, const Job &job) {
  const auto info = weights_of(graph, node, job.ops);
  if (!info || info->weight != operand) return std::nullopt;
  const int rank = graph.value(node.inputs[operand]).type.rank().value_or(0);
  const bool product = rank == 2 || (rank > 2 && info->channel_axis == rank - 1); // else a convolution
  const int sums = !product ? -1 : rank == 2 ? 1 - info->channel_axis : rank - 2;
  return Reading{.channels = info->channel_axis, .sums = sums};
}

std::optional<Reading> reading_by(const Graph &graph, const Use &use, const StoreRequest &request, const Job &job,
                                  bool body) {
  const Node &node = graph.node(use.node);
  if (use.index >= node.inputs.size()) {
    const auto [inner, value] = captured(node, use.index - node.inputs.size());
    if (inner == nullptr) return std::nullopt;
    auto found = reading_of(*inner, value, request, job, true);
    if (found && found->table) *found = {.moved = true}; // as reals: the table is not in that graph
    return found;
  }
  if (!job.scope.allows(node)) return std::nullopt;
  if (node.domain.empty() && (use.index == 1 || use.index == 2) &&
      std::ranges::find(recurrent, node.op) != recurrent.end())
    return Reading{.channels = 1, .sums = 2, .stacked = true};
  if (node.is("Gather") && use.index == 0 && node.get_int("axis", 0) == 0) return Reading{.sums = 1, .table = true};
  if (const OpDef *op = job.ops.find(node); op != nullptr && op->moves_data && use.index == 0)
    return Reading{.moved = true};
  return request.layers || body ? weight_reading(graph, node, use.index, job) : std::nullopt;
}

std::optional<Reading> reading_of(const Graph &graph, ValueId id, const StoreRequest &request, const Job &job,
                                  bool body) {
  std::optional<Reading> found;
  std::size_t tables = 0;
  for (const Use &use : graph.value(id).uses) {
    const auto reading = reading_by(graph, use, request, job, body);
    if (!reading) continue;
    tables += reading->table ? 1 : 0;
    if (!found || found->moved || (found->table && !reading->table && !reading->moved)) found = reading;
  }
  if (found && found->table) found->table = tables == graph.value(id).uses.size();
  return found;
}

/// Whether nobody reads it but as the scale of codes.
bool only_steps(const Graph &graph, ValueId id) {
  return std::ranges::all_of(graph.value(id).uses, [&](const Use &use) {
    const Node &node = graph.node(use.node);
    return use.index > 0 && (node.is("DequantizeLinear") || node.is("QuantizeLinear"));
  });
}

/// Whether `id` may be read through codes at all; else why not.
std::string obstacle(const Graph &graph, ValueId id) {
  const Tensor &data = *graph.constant(id);
  if (data.dtype != DType::float32) return fmt::format("is {}", name(data.dtype));
  if (data.rank() < 2) return fmt::format("has rank {}", data.rank());
  if (graph.is_output(id)) return "is an output";
  const auto numbers = data.as<float>();
  if (!std::ranges::all_of(numbers, [](float x) { return std::isfinite(x); })) return "holds a NaN or Inf";
  return {};
}

bool packs(const Tensor &table, const StoreRequest &request) {
  return request.packed_tables && table.rank() == 2 && table.dims[1] % 2 == 0;
}

/// Rows that are moved, as those of an embedding, have 8 bits and a scale each, layers at the ends a scale per channel.
NumberSpec number_of(ValueId id, const Reading &reading, const StoreRequest &request) {
  return reading.moved || request.ends.contains(id) ? NumberSpec{} : request.spec;
}

std::size_t bytes_after(const Tensor &data, const StoredPlace &place, const StoreRequest &request) {
  return place.table ? table_bytes(data, request.spec.block, packs(data, request))
                     : stored_bytes(data, place.layout, place.number);
}

std::string label_of(const Graph &graph, ValueId id) { return graph.node(graph.value(id).uses.front().node).label(); }

std::string text_of(const Graph &graph, ValueId id) {
  const Value &value = graph.value(id);
  const std::size_t bytes = graph.constant(id)->data.size();
  return fmt::format("{}{} bytes stay float", value.name.empty() ? "" : value.name + ": ", bytes);
}

LineLayout layout_of(const Reading &reading, const Tensor &data, const NumberSpec &spec) {
  if (reading.table || reading.moved) return {.axis = 0};
  if (spec.block > 0 && reading.sums >= 0 && spec.block < data.dims[static_cast<std::size_t>(reading.sums)])
    return {.axis = reading.sums, .along = true};
  return {.axis = reading.channels, .stacked = reading.stacked && data.dims[0] > 1};
}

/// Where the steps of codes come from.
Grid grid_of(const Lines &lines, NumberSpec number, std::int64_t block, const StoreRequest &request, const Job &job) {
  const auto size = static_cast<std::size_t>(block);
  return request.searched ? searched_grid(lines, number, size, {}, job.threads) : range_grid(lines, number, size);
}

class Store {
public:
  Store(Graph &graph, const StoreRequest &request, const Job &job, std::string_view pass)
      : graph_(graph), request_(request), job_(job), pass_(pass) {}

  Result<bool> run() {
    EDGEC_ASSIGN(bool changed, passes::constants_to_initializers.run(graph_, job_));
    for (const auto &[id, place] : storable_constants(graph_, request_, job_, pass_)) {
      EDGEC_CHECK(check_interrupted());
      if (place.table)
        store_table(id);
      else
        store(id, place.layout, place.number);
      changed = true;
    }
    const auto inside = [&](Graph &body) -> Result<bool> {
      StoreRequest all = request_;
      all.layers = true;
      return Store(body, all, job_, pass_).run();
    };
    EDGEC_ASSIGN(const bool bodies, edit_bodies(graph_, job_.ops, 0, inside));
    if (changed) EDGEC_CHECK(graph_.sort());
    return changed || bodies;
  }

private:
  Graph &graph_;
  const StoreRequest &request_;
  const Job &job_;
  std::string_view pass_;

  void store(ValueId id, const LineLayout &layout, const NumberSpec &spec) {
    const Lines lines = lines_of(*graph_.constant(id), layout);
    const Grid grid = grid_of(lines, spec, layout.along ? spec.block : 0, request_, job_);
    const ValueId reals = add_codes(graph_, id, layout, spec, grid, codes_on_grid(lines, grid, spec));
    graph_.replace_uses(id, reals);
    graph_.remove(id);
  }

  void store_table(ValueId id) {
    const Tensor &data = *graph_.constant(id);
    const bool packed = packs(data, request_);
    const NumberSpec number{.bits = packed ? 4 : 8, .symmetric = !packed};
    const Lines lines = lines_of(data, {.axis = 0});
    const Grid grid = grid_of(lines, number, packed ? request_.spec.block : 0, request_, job_);
    const StoredTable table(graph_, id, grid, codes_on_grid(lines, grid, number), packed);
    std::vector<NodeId> readers;
    for (const Use &use : graph_.value(id).uses) readers.push_back(use.node);
    for (const NodeId reader : readers) table.read_by(graph_, reader);
    graph_.remove(id);
  }
};

} // namespace

std::map<ValueId, StoredPlace> storable_constants(const Graph &graph, const StoreRequest &request, const Job &job,
                                                  std::string_view pass) {
  std::map<ValueId, StoredPlace> found;
  for (const ValueId id : graph.values()) {
    const Tensor *data = graph.constant(id);
    if (data == nullptr || !is_float(data->dtype) || data->data.size() == 0 || only_steps(graph, id)) continue;
    const std::size_t bytes = data->data.size();
    const auto leave = [&](const std::string &why) {
      if (bytes >= worth_a_word) job.skip(pass, label_of(graph, id), fmt::format("{}: {}", text_of(graph, id), why));
    };
    const auto reading = reading_of(graph, id, request, job);
    if (!reading) {
      if (request.layers) leave("no weight of a layer, and no table that Gather reads");
      continue;
    }
    if (const std::string why = obstacle(graph, id); !why.empty()) {
      leave("it " + why);
      continue;
    }
    const NumberSpec number = number_of(id, *reading, request);
    const StoredPlace place{layout_of(*reading, *data, number), number, reading->table};
    if (const std::size_t after = bytes_after(*data, place, request); after >= bytes)
      leave(fmt::format("codes would take {}", after));
    else
      found.emplace(id, place);
  }
  return found;
}

namespace {

/// The weights of the first and the last layer.
std::set<ValueId> weights_at_ends(const Graph &graph, const Job &job) {
  std::vector<ValueId> found;
  for (const NodeId id : graph.nodes()) {
    const Node &node = graph.node(id);
    const auto info = weights_of(graph, node, job.ops);
    if (info && graph.constant(node.input(info->weight)) != nullptr) found.push_back(node.input(info->weight));
  }
  return found.empty() ? std::set<ValueId>() : std::set{found.front(), found.back()};
}

} // namespace

StoreRequest store_request(const Graph &graph, const Job &job) {
  const auto &options = job.options<StoredOptions>();
  StoreRequest request{.spec = options.spec(), .searched = job.options<FitOptions>().second_order};
  if (options.spares_ends()) request.ends = weights_at_ends(graph, job);
  request.packed_tables = options.tables == "int4" ||
                          (options.tables == "auto" && request.spec.bits <= 4 && tables_prevail(graph, request, job));
  return request;
}

bool tables_prevail(const Graph &graph, const StoreRequest &request, const Job &job) {
  Job quiet = job;
  quiet.note = nullptr;
  std::size_t tables = 0, rest = 0;
  for (const auto &[id, place] : storable_constants(graph, request, quiet, {})) {
    const Tensor &data = *graph.constant(id);
    (place.table ? tables : rest) += bytes_after(data, place, request);
  }
  return tables > rest;
}

Result<bool> store_constants(Graph &graph, const StoreRequest &request, const Job &job, std::string_view pass) {
  return Store(graph, request, job, pass).run();
}

} // namespace edgec
