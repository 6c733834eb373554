// Compiling: which nodes are needed, which kernel each gets, which neighbours it takes along, who lies where.
#include "runtime/plan.h"

#include <algorithm>
#include <cstring>
#include <fmt/format.h>
#include <unordered_map>
#include <unordered_set>

#include "ir/evaluate.h"
#include "ir/node_view.h"
#include "runtime/expand.h"
#include "runtime/plan_state.h"
#include "runtime/reorder.h"
#include "runtime/through_float32.h"

namespace edgec {
namespace {

constexpr std::size_t layouts = 2;

class Compiler {
public:
  Compiler(Plan::State &state, std::span<const Type> feed_types)
      : s_(state), graph_(state.graph), feed_types_(feed_types) {}

  Status compile() {
    EDGEC_CHECK(bind_feeds());
    forget_shapes();
    EDGEC_CHECK(infer_types(graph_, *s_.ops));
    EDGEC_CHECK(expand_functions(graph_, *s_.ops));
    EDGEC_CHECK(fold_constants());
    EDGEC_CHECK(schedule());
    EDGEC_CHECK(place_fetches());
    find_lives();
    s_.arena_bytes = place_buffers(s_.buffers);
    return {};
  }

private:
  Plan::State &s_;
  Graph &graph_;
  std::span<const Type> feed_types_;
  struct Copies {
    Place by_layout[layouts];
  };
  std::unordered_map<std::uint32_t, Copies> copies_;
  std::unordered_set<std::uint32_t> needed_nodes_, absorbed_, kept_, scheduled_values_;
  std::vector<Tensor> pinned_; // folded constants

  Status bind_feeds() {
    if (s_.options.feeds.empty()) s_.options.feeds = graph_.inputs();
    if (s_.options.fetches.empty())
      for (const GraphOutput &output : graph_.outputs()) s_.options.fetches.push_back(output.value);
    if (feed_types_.size() != s_.options.feeds.size())
      return bad_input(
          fmt::format("{} inputs were expected, {} were given", s_.options.feeds.size(), feed_types_.size()));
    for (std::size_t i = 0; i < feed_types_.size(); ++i) {
      const ValueId id = s_.options.feeds[i];
      EDGEC_CHECK(check_feed(graph_.value(id), feed_types_[i]));
      Type type = feed_types_[i];
      type.quant = graph_.value(id).type.quant;
      const auto wanted = graph_.value(id).type.kind; // an optional stays one, a sequence knows more than what is fed
      if (wanted == Type::Kind::tensor || wanted == Type::Kind::unknown) graph_.set_type(id, std::move(type));
      const Layout layout = i < s_.options.feed_layouts.size() ? s_.options.feed_layouts[i] : Layout::plain;
      copies_[id.index].by_layout[static_cast<std::size_t>(layout)] = {Place::Kind::feed, i};
      scheduled_values_.insert(id.index);
    }
    for (const auto &list : {s_.options.keep, s_.options.fetches})
      for (const ValueId id : list) kept_.insert(id.index);
    s_.feed_types.assign(feed_types_.begin(), feed_types_.end());
    return {};
  }

  /// What the feeds' shapes do not tell is known at run time only, whatever a file declares of it.
  void forget_shapes() {
    for (const NodeId id : graph_.nodes()) {
      const OpDef *op = s_.ops->find(graph_.node(id));
      if (!op || !op->infer) continue;
      for (const ValueId out : std::vector(graph_.node(id).outputs)) {
        if (!out.valid() || is_feed(out) || !graph_.value(out).type.shape) continue;
        Type type = graph_.value(out).type;
        type.shape.reset();
        graph_.set_type(out, std::move(type));
      }
    }
  }

  static Status check_feed(const Value &value, const Type &given) {
    const Type &wanted = value.type;
    const auto refuse = [&] {
      return bad_input(
          fmt::format("input {}: {} was expected, {} was given", value.name, to_string(wanted), to_string(given)));
    };
    if (wanted.kind == Type::Kind::optional) return {}; // what it holds, or nothing
    if (wanted.kind != given.kind) return wanted.kind == Type::Kind::unknown ? Status{} : Status(refuse());
    if (!wanted.is_tensor()) return {};
    if (wanted.dtype != DType::undefined && wanted.dtype != given.dtype) return refuse();
    if (!wanted.shape || !given.shape) return {};
    if (wanted.shape->size() != given.shape->size()) return refuse();
    for (std::size_t i = 0; i < wanted.shape->size(); ++i)
      if ((*wanted.shape)[i].is_known() && (*wanted.shape)[i].size != (*given.shape)[i].size) return refuse();
    return {};
  }

  bool is_feed(ValueId id) const { return std::ranges::find(s_.options.feeds, id) != s_.options.feeds.end(); }

  void need(ValueId root) {
    std::vector<ValueId> stack{root};
    while (!stack.empty()) {
      const ValueId id = stack.back();
      stack.pop_back();
      if (!id.valid() || is_feed(id)) continue;
      const NodeId producer = graph_.value(id).producer;
      if (!producer.valid() || !needed_nodes_.insert(producer.index).second) continue;
      const Node &node = graph_.node(producer);
      stack.insert(stack.end(), node.inputs.begin(), node.inputs.end());
      stack.insert(stack.end(), node.captures.begin(), node.captures.end());
    }
  }

  Error at(const Node &node, Error error) const {
    return std::move(error).in(fmt::format("node {} ({})", node.label(), node.op));
  }

  /// Evaluates needed nodes whose operands are all constants, once and for all.
  Status fold_constants() {
    for (const ValueId id : s_.options.fetches) need(id);
    for (const NodeId id : graph_.nodes()) {
      if (!needed_nodes_.contains(id.index)) continue;
      const Node &node = graph_.node(id);
      const OpDef *op = s_.ops->find(node);
      if (!op)
        return unsupported(fmt::format("operator {}{}{} (node {}) is unknown: it can be kept in a file, not run",
                                       node.domain, node.domain.empty() ? "" : ":", node.op, node.label()));
      if (!op->reference || !op->deterministic || !node.captures.empty()) continue;
      const auto fixed = [&](ValueId v) { return !v.valid() || (graph_.constant(v) != nullptr && !is_feed(v)); };
      if (!std::ranges::all_of(node.inputs, fixed)) continue;
      std::vector<RuntimeValue> inputs;
      for (const ValueId v : node.inputs)
        inputs.push_back(v.valid() ? RuntimeValue(*graph_.constant(v)) : RuntimeValue{});
      auto folded = evaluate_node(graph_, *s_.ops, node, s_.options, inputs, {});
      if (!folded) return at(node, std::move(folded).error());
      if (!std::ranges::all_of(*folded, [](const RuntimeValue &v) { return v.tensor.has_value(); })) continue;
      const std::vector<ValueId> outputs = node.outputs;
      for (std::size_t i = 0; i < outputs.size(); ++i) {
        if (!outputs[i].valid() || i >= folded->size()) continue;
        const auto quant = graph_.value(outputs[i]).type.quant;
        const bool wanted = kept_.contains(outputs[i].index);
        const ValueId constant = graph_.add_constant(*(*folded)[i].tensor, {}, quant);
        graph_.replace_uses(outputs[i], constant);
        if (!wanted) continue;
        s_.folded.push_back({outputs[i], {Place::Kind::constant, s_.constants.size()}, Layout::plain});
        s_.constants.push_back(*(*folded)[i].tensor);
        for (ValueId &fetch : s_.options.fetches)
          if (fetch == outputs[i]) fetch = constant;
      }
      needed_nodes_.erase(id.index);
    }
    // What fed only folded nodes is not needed any more.
    needed_nodes_.clear();
    for (const ValueId id : s_.options.fetches) need(id);
    return {};
  }

  /// Where `id` lies in `layout`; adds a reorder step or a constant copy where it does not yet.
  Place place_of(ValueId id, Layout layout) {
    if (!id.valid()) return {};
    Copies &copies = copies_[id.index];
    const auto index = static_cast<std::size_t>(layout);
    if (copies.by_layout[index].kind != Place::Kind::none) return copies.by_layout[index];
    const Value &value = graph_.value(id);
    if (value.data && !is_feed(id)) {
      s_.constants.push_back(in_layout(*value.data, layout));
      return copies.by_layout[index] = {Place::Kind::constant, s_.constants.size() - 1};
    }
    const Layout other = layout == Layout::plain ? Layout::channels_last : Layout::plain;
    const Place source = copies.by_layout[static_cast<std::size_t>(other)];
    const Dims dims = *value.type.concrete();
    if (layouts_agree(dims)) return copies.by_layout[index] = source;
    Step step;
    step.kind = Step::Kind::reorder;
    step.from = other;
    step.to = layout;
    step.dims = dims;
    step.element_bytes = static_cast<std::size_t>(bits(value.type.dtype)) / 8;
    step.inputs = {source};
    step.outputs = {new_buffer(value.type)};
    step.info = {value.name, "Reorder", layout == Layout::plain ? "to plain" : "to channels last", 0};
    copies.by_layout[index] = step.outputs[0];
    s_.steps.push_back(std::move(step));
    return copies.by_layout[index];
  }

  static Tensor in_layout(const Tensor &tensor, Layout layout) {
    if (layout == Layout::plain || layouts_agree(tensor.dims)) return tensor;
    std::vector<std::byte> bytes(tensor.data.size());
    reorder(tensor.data.data(), Layout::plain, bytes.data(), layout, tensor.dims,
            static_cast<std::size_t>(bits(tensor.dtype)) / 8, 1);
    return Tensor::of_bytes(tensor.dtype, tensor.dims, std::move(bytes));
  }

  Place new_buffer(const Type &type) {
    BufferLife life;
    life.bytes = byte_size(type.dtype, *element_count(*type.concrete()));
    life.element_bytes = static_cast<std::size_t>(bits(type.dtype)) / 8;
    s_.buffers.push_back(life);
    return {Place::Kind::arena, s_.buffers.size() - 1};
  }

  /// A buffer lives from the step that writes it to the last one that reads it, to the end where it is fetched.
  void find_lives() {
    const auto read = [&](const Place &place, std::size_t step) {
      if (place.kind == Place::Kind::arena) s_.buffers[place.index].last = step;
    };
    for (std::size_t i = 0; i < s_.steps.size(); ++i) {
      for (const Place &place : s_.steps[i].outputs)
        if (place.kind == Place::Kind::arena) s_.buffers[place.index].first = s_.buffers[place.index].last = i;
      for (const Place &place : s_.steps[i].inputs) read(place, i);
    }
    for (const Place &place : s_.fetches) read(place, s_.steps.size());
  }

  Layout layout_of(ValueId id) const {
    const auto found = copies_.find(id.index);
    if (found == copies_.end()) return Layout::plain;
    return found->second.by_layout[1].kind != Place::Kind::none ? Layout::channels_last : Layout::plain;
  }

  /// A tensor of known size whose bytes can lie in the arena; packed codes can only be constants.
  bool is_static(ValueId id) const {
    if (!id.valid()) return true;
    const Value &value = graph_.value(id);
    const auto dims = value.type.concrete();
    if (!dims || bits(value.type.dtype) == 0 || !element_count(*dims)) return false;
    if (bits(value.type.dtype) % 8 != 0) return constant_of(id) != nullptr;
    const auto found = copies_.find(id.index);
    return found == copies_.end() || found->second.by_layout[0].kind != Place::Kind::dynamic;
  }

  Status schedule() {
    for (const NodeId id : graph_.nodes()) {
      if (!needed_nodes_.contains(id.index) || absorbed_.contains(id.index)) continue;
      const Node &node = graph_.node(id);
      const OpDef *op = s_.ops->find(node);
      const bool fixed = node.captures.empty() && !has_subgraph(node) &&
                         std::ranges::all_of(node.inputs, [&](ValueId v) { return is_static(v); }) &&
                         std::ranges::all_of(node.outputs, [&](ValueId v) { return is_static(v); });
      const Status status = fixed ? add_static(id, *op) : add_dynamic(id, *op);
      if (!status) return at(node, status.error());
    }
    return {};
  }

  static bool has_subgraph(const Node &node) {
    return std::ranges::any_of(node.attributes, [](const Attribute &attribute) {
      return std::holds_alternative<SubGraph>(attribute.value) ||
             std::holds_alternative<std::vector<SubGraph>>(attribute.value);
    });
  }

  const Tensor *constant_of(ValueId id) const { return id.valid() && !is_feed(id) ? graph_.constant(id) : nullptr; }

  struct Operand {
    std::vector<const Type *> types;
    std::vector<const Tensor *> constants;
    std::vector<Layout> layouts;
  };
  Operand operands(const Node &node) const {
    Operand found;
    for (const ValueId v : node.inputs) {
      found.types.push_back(type_of(graph_, v));
      found.constants.push_back(constant_of(v));
      found.layouts.push_back(v.valid() ? layout_of(v) : Layout::plain);
    }
    return found;
  }

  /// The chain of elementwise readers that could be computed together with `id`: a kernel walks over the elements of
  /// its own result, so that a reader which broadcasts that result to a larger shape is none.
  std::vector<NodeId> follower_chain(NodeId id) const {
    std::vector<NodeId> chain;
    NodeId current = id;
    while (chain.size() < 4) {
      const Node &node = graph_.node(current);
      if (node.outputs.size() != 1 || kept_.contains(node.outputs[0].index)) break;
      const NodeId next = graph_.sole_user(node.outputs[0]);
      if (!next.valid() || !needed_nodes_.contains(next.index)) break;
      const Node &reader = graph_.node(next);
      const OpDef *op = s_.ops->find(reader);
      if (!op || !op->elementwise || reader.outputs.size() != 1 || !reader.captures.empty()) break;
      const auto ready = [&](ValueId v) {
        return !v.valid() || v == node.outputs[0] || constant_of(v) ||
               (scheduled_values_.contains(v.index) && is_static(v));
      };
      if (!std::ranges::all_of(reader.inputs, ready)) break;
      if (graph_.value(reader.outputs[0]).type.concrete() != graph_.value(node.outputs[0]).type.concrete()) break;
      chain.push_back(next);
      current = next;
    }
    return chain;
  }

  Status add_static(NodeId id, const OpDef &op) {
    const Node &node = graph_.node(id);
    const Operand own = operands(node);
    std::vector<const Type *> outputs;
    for (const ValueId v : node.outputs) outputs.push_back(type_of(graph_, v));
    const bool empty =
        std::ranges::any_of(outputs, [](const Type *t) { return t && element_count(*t->concrete()) == 0; });
    if (op.prepare && !s_.options.reference && !empty) {
      const auto chain = follower_chain(id);
      std::vector<Operand> chain_operands;
      std::vector<Follower> followers;
      ValueId before = node.outputs.empty() ? ValueId{} : node.outputs[0];
      chain_operands.reserve(chain.size());
      for (const NodeId next : chain) {
        const Node &reader = graph_.node(next);
        chain_operands.push_back(operands(reader));
        const auto operand = static_cast<std::size_t>(std::ranges::find(reader.inputs, before) - reader.inputs.begin());
        followers.push_back({reader, graph_.opset(reader.domain), chain_operands.back().types,
                             chain_operands.back().constants, graph_.value(reader.outputs[0]).type, operand});
        before = reader.outputs[0];
      }
      const PrepareArgs args{
          node,      graph_.opset(node.domain), own.types,      own.constants,     outputs, own.layouts,
          followers, s_.options.policy,         s_.options.isa, s_.options.threads};
      auto kernel = op.prepare(args);
      if (!kernel && kernel.error().code == Code::unsupported) kernel = prepare_through_float32(op, args);
      if (kernel) return add_kernel(id, std::move(*kernel), chain);
      if (kernel.error().code != Code::unsupported) return std::move(kernel).error();
    }
    return add_kernel(id, reference_kernel(id, op), {});
  }

  Status add_kernel(NodeId id, Kernel kernel, std::span<const NodeId> chain) {
    const Node &node = graph_.node(id);
    std::vector<ValueId> inputs = node.inputs;
    std::vector<ValueId> outputs = node.outputs;
    std::string label = node.label();
    double macs = cost_of(graph_, graph_.node(id), *s_.ops).macs;
    for (std::size_t k = 0; k < kernel.followers; ++k) {
      const Node &reader = graph_.node(chain[k]);
      absorbed_.insert(chain[k].index);
      for (const ValueId v : reader.inputs)
        if (v != outputs[0]) inputs.push_back(v);
      outputs = reader.outputs;
      label += "+" + reader.op;
      macs += cost_of(graph_, graph_.node(chain[k]), *s_.ops).macs;
    }
    Step step;
    step.node = id;
    for (std::size_t i = 0; i < inputs.size(); ++i)
      step.inputs.push_back(place_of(inputs[i], i < kernel.inputs.size() ? kernel.inputs[i] : Layout::plain));
    for (const ValueId v : outputs) {
      if (!v.valid()) {
        step.outputs.push_back({});
        continue;
      }
      const Place place = new_buffer(graph_.value(v).type);
      copies_[v.index].by_layout[static_cast<std::size_t>(kernel.output)] = place;
      scheduled_values_.insert(v.index);
      step.outputs.push_back(place);
      if (kept_.contains(v.index)) step.shown.push_back({v, place, kernel.output});
    }
    s_.scratch_bytes = std::max(s_.scratch_bytes, kernel.scratch_bytes);
    step.info = {label, node.op, kernel.description, macs};
    step.kernel = std::move(kernel);
    s_.steps.push_back(std::move(step));
    return {};
  }

  /// The reference as a kernel on arena bytes.
  Kernel reference_kernel(NodeId id, const OpDef &) const {
    Kernel kernel;
    kernel.description = "reference";
    const Plan::State *state = &s_;
    kernel.run = [state, id](const KernelIo &io) {
      const Node &node = state->graph.node(id);
      const auto borrow = [&](ValueId v, const std::byte *bytes) -> RuntimeValue {
        if (!v.valid()) return {}; // an empty tensor has no bytes either
        const Type &type = state->graph.value(v).type;
        const Dims dims = *type.concrete();
        return Tensor{type.dtype, dims, Storage(nullptr, ByteView(bytes, byte_size(type.dtype, *element_count(dims)))),
                      nullptr};
      };
      std::vector<RuntimeValue> inputs;
      for (std::size_t i = 0; i < node.inputs.size(); ++i) inputs.push_back(borrow(node.inputs[i], io.inputs[i]));
      const auto outputs = evaluate_node(state->graph, *state->ops, node, state->options, inputs, {});
      const auto fail = [&](Error error) {
        throw KernelFailure(std::move(error).in(fmt::format("node {} ({})", node.label(), node.op)));
      };
      if (!outputs) fail(outputs.error());
      for (std::size_t i = 0; i < node.outputs.size() && i < outputs->size(); ++i) {
        if (!io.outputs[i] || !(*outputs)[i].tensor) continue;
        const Tensor &made = *(*outputs)[i].tensor;
        const Type &type = state->graph.value(node.outputs[i]).type;
        if (made.dims != *type.concrete() || made.dtype != type.dtype)
          fail(internal_error(
              fmt::format("output {} is {}, {} was inferred", i, to_string(Type::of(made)), to_string(type))));
        if (made.data.size() > 0) std::memcpy(io.outputs[i], made.data.data(), made.data.size());
      }
    };
    return kernel;
  }

  /// A node with sub-graphs, or whose operands or results have sizes that are known only at run time, or are no
  /// tensors. Results of known size lie in the arena like all others, so that what reads them need not be dynamic.
  Status add_dynamic(NodeId id, const OpDef &op) {
    const Node &node = graph_.node(id);
    if (!op.reference) return unsupported("is known but cannot be run");
    Step step;
    step.kind = Step::Kind::dynamic;
    step.node = id;
    for (const auto &list : {node.inputs, node.captures})
      for (const ValueId v : list) step.inputs.push_back(is_static(v) ? place_of(v, Layout::plain) : dynamic_place(v));
    for (const ValueId v : node.outputs) {
      if (!v.valid()) {
        step.outputs.push_back({});
        continue;
      }
      copies_[v.index].by_layout[0] =
          is_static(v) ? new_buffer(graph_.value(v).type) : Place{Place::Kind::dynamic, s_.dynamic_slots++};
      scheduled_values_.insert(v.index);
      step.outputs.push_back(copies_[v.index].by_layout[0]);
      if (kept_.contains(v.index)) step.shown.push_back({v, step.outputs.back(), Layout::plain});
    }
    step.info = {node.label(), node.op, "reference, sizes at run time", 0};
    s_.steps.push_back(std::move(step));
    return {};
  }

  /// A value outside the arena: produced at run time, a feed, or a constant that the arena cannot hold (strings, 4
  /// bit).
  Place dynamic_place(ValueId id) {
    Place &place = copies_[id.index].by_layout[0];
    if (place.kind == Place::Kind::none && graph_.constant(id)) {
      s_.constants.push_back(*graph_.constant(id));
      place = {Place::Kind::constant, s_.constants.size() - 1};
    }
    return place;
  }

  Status place_fetches() {
    for (const ValueId id : s_.options.fetches) {
      const bool native = s_.options.native_fetches || s_.options.observe_only;
      const Layout layout = native && is_static(id) ? layout_of(id) : Layout::plain;
      const Place place = is_static(id) ? place_of(id, layout) : dynamic_place(id);
      s_.fetch_layouts.push_back(layout);
      if (place.kind == Place::Kind::none)
        return internal_error(fmt::format("output {} has no source", graph_.value(id).name));
      s_.fetches.push_back(place);
    }
    return {};
  }
};

} // namespace

Plan::Plan(std::unique_ptr<State> state) : state_(std::move(state)) {}
Plan::~Plan() = default;

Result<std::shared_ptr<const Plan>> Plan::compile(const Graph &graph, const OpRegistry &ops,
                                                  std::span<const Type> feed_types, const PlanOptions &options) {
  auto state = std::make_unique<State>();
  state->graph = graph;
  state->ops = &ops;
  state->options = options;
  EDGEC_CHECK(Compiler(*state, feed_types).compile());
  return std::shared_ptr<const Plan>(new Plan(std::move(state)));
}

std::size_t Plan::arena_bytes() const { return state_->arena_bytes; }
std::size_t Plan::scratch_bytes() const { return state_->scratch_bytes; }
std::span<const Layout> Plan::fetch_layouts() const { return state_->fetch_layouts; }

std::vector<StepInfo> Plan::steps() const {
  std::vector<StepInfo> infos;
  for (const Step &step : state_->steps) infos.push_back(step.info);
  return infos;
}

} // namespace edgec
