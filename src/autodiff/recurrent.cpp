#include "autodiff/recurrent.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "autodiff/builder.h"

namespace edgec {
namespace {

bool is_recurrent(const Node &node) { return node.is("LSTM") || node.is("GRU") || node.is("RNN"); }

class Unrolling {
public:
  Unrolling(Graph &graph, const OpRegistry &ops, Node node) : b_(graph, ops), node_(std::move(node)) {
    batch_first_ = node_.get_int("layout", 0) != 0;
    const Dims x = b_.dims(node_.inputs[0]);
    steps_ = x[batch_first_ ? 1 : 0], batch_ = x[batch_first_ ? 0 : 1], inputs_ = x[2];
    hidden_ = b_.dims(node_.inputs[2])[2];
    gates_ = node_.is("LSTM") ? 4 : node_.is("GRU") ? 3 : 1;
    x_ = batch_first_ ? b_.transpose(node_.inputs[0], {1, 0, 2}) : node_.inputs[0];
  }

  /// What stands for Y, Y_h and Y_c.
  Result<std::vector<ValueId>> run() {
    EDGEC_CHECK(check());
    const std::string direction = node_.get_string("direction", "forward");
    const std::int64_t count = direction == "bidirectional" ? 2 : 1;
    for (std::int64_t d = 0; d < count; ++d) unroll(d, d == 1 || direction == "reverse");
    std::vector<ValueId> found{concat(all_, 1), concat(last_h_, 0)};
    if (gates_ == 4) found.push_back(concat(last_c_, 0));
    if (batch_first_) {
      found[0] = b_.transpose(found[0], {2, 0, 1, 3});
      for (std::size_t i = 1; i < found.size(); ++i) found[i] = b_.transpose(found[i], {1, 0, 2});
    }
    EDGEC_CHECK(b_.status());
    return found;
  }

private:
  Builder b_;
  Node node_;
  bool batch_first_ = false;
  std::int64_t steps_ = 0, batch_ = 0, inputs_ = 0, hidden_ = 0, gates_ = 1;
  ValueId x_;
  std::vector<ValueId> all_, last_h_, last_c_; ///< by direction: [steps, 1, batch, hidden], [1, batch, hidden]

  /// Weights of one direction, transposed for products of rows: [inputs, gates * hidden] and the like.
  struct Direction {
    ValueId r, rb;                ///< rb: none
    std::vector<ValueId> x;       ///< by step: W x and its bias, [batch, gates * hidden]
    std::array<ValueId, 3> peeps; ///< of LSTM: i, o, f; none
  };

  Status check() const {
    if (node_.input(4).valid()) return unsupported("there is no gradient of sequences of different lengths");
    if (node_.get_float("clip", 0) > 0 || node_.get_int("input_forget", 0) != 0)
      return unsupported("there is no gradient with clip or input_forget");
    const auto *given = node_.get<std::vector<std::string>>("activations");
    const std::vector<std::string> lstm{"Sigmoid", "Tanh", "Tanh"}, gru{"Sigmoid", "Tanh"}, rnn{"Tanh"};
    const auto &usual = gates_ == 4 ? lstm : gates_ == 3 ? gru : rnn;
    for (std::size_t i = 0; given != nullptr && i < given->size(); ++i)
      if ((*given)[i] != usual[i % usual.size()])
        return unsupported(fmt::format("there is no gradient with {} as an activation", (*given)[i]));
    return {};
  }

  ValueId concat(const std::vector<ValueId> &parts, std::int64_t axis) {
    return parts.size() == 1 ? parts[0] : b_.op("Concat", parts, {{"axis", axis}});
  }
  /// Part d of an operand's first axis, as a matrix or a row.
  ValueId part(std::size_t operand, std::int64_t d, const Dims &dims) {
    return b_.reshape(b_.slice(node_.inputs[operand], 0, d, d + 1), dims);
  }
  ValueId columns(ValueId x, std::int64_t gate, std::int64_t count = 1) {
    return gates_ == 1 ? x : b_.slice(x, 1, gate * hidden_, (gate + count) * hidden_);
  }
  ValueId bias(std::int64_t d, std::int64_t half) {
    const std::int64_t rows = gates_ * hidden_;
    const ValueId both = part(3, d, {1, 2 * rows});
    return b_.slice(both, 1, half * rows, (half + 1) * rows);
  }
  ValueId state(std::size_t operand, std::int64_t d) {
    if (!node_.input(operand).valid()) return b_.constant(zeros());
    return b_.reshape(b_.slice(node_.inputs[operand], batch_first_ ? 1 : 0, d, d + 1), {batch_, hidden_});
  }
  Tensor zeros() const {
    return from_doubles(b_.dtype(x_), {batch_, hidden_},
                        std::vector<double>(static_cast<std::size_t>(batch_ * hidden_)));
  }

  Direction direction(std::int64_t d) {
    const std::int64_t rows = gates_ * hidden_;
    Direction one;
    one.r = b_.transpose(part(2, d, {rows, hidden_}), {1, 0});
    ValueId all = b_.op(
        "MatMul", {b_.reshape(x_, {steps_ * batch_, inputs_}), b_.transpose(part(1, d, {rows, inputs_}), {1, 0})});
    if (node_.input(3).valid()) all = b_.add(all, bias(d, 0)), one.rb = bias(d, 1);
    for (std::int64_t t = 0; t < steps_; ++t) one.x.push_back(b_.slice(all, 0, t * batch_, (t + 1) * batch_));
    if (node_.input(7).valid())
      for (std::int64_t k = 0; k < 3; ++k)
        one.peeps[static_cast<std::size_t>(k)] =
            b_.slice(part(7, d, {1, 3 * hidden_}), 1, k * hidden_, (k + 1) * hidden_);
    return one;
  }

  void unroll(std::int64_t d, bool reverse) {
    const Direction one = direction(d);
    ValueId h = state(5, d), c = gates_ == 4 ? state(6, d) : ValueId{};
    std::vector<ValueId> found(static_cast<std::size_t>(steps_));
    for (std::int64_t k = 0; k < steps_; ++k) {
      const auto t = static_cast<std::size_t>(reverse ? steps_ - 1 - k : k);
      if (gates_ == 4)
        lstm(one, one.x[t], h, c);
      else
        h = gates_ == 3 ? gru(one, one.x[t], h) : b_.op("Tanh", {b_.add(one.x[t], recurrence(one, h))});
      found[t] = b_.reshape(h, {1, 1, batch_, hidden_});
    }
    all_.push_back(concat(found, 0));
    last_h_.push_back(b_.reshape(h, {1, batch_, hidden_}));
    if (gates_ == 4) last_c_.push_back(b_.reshape(c, {1, batch_, hidden_}));
  }

  ValueId recurrence(const Direction &one, ValueId h) {
    const ValueId product = b_.op("MatMul", {h, one.r});
    return one.rb.valid() ? b_.add(product, one.rb) : product;
  }

  /// Rows z, r, h.
  ValueId gru(const Direction &one, ValueId x, ValueId h) {
    const ValueId all = recurrence(one, h), both = b_.op("Sigmoid", {b_.add(columns(x, 0, 2), columns(all, 0, 2))});
    const ValueId z = b_.slice(both, 1, 0, hidden_), r = b_.slice(both, 1, hidden_, 2 * hidden_);
    ValueId inner;
    if (node_.get_int("linear_before_reset", 0) != 0) {
      inner = b_.mul(r, columns(all, 2));
    } else {
      inner = b_.op("MatMul", {b_.mul(r, h), columns(one.r, 2)});
      if (one.rb.valid()) inner = b_.add(inner, columns(one.rb, 2));
    }
    const ValueId candidate = b_.op("Tanh", {b_.add(columns(x, 2), inner)});
    return b_.add(candidate, b_.mul(z, b_.sub(h, candidate)));
  }

  /// Rows i, o, f, c.
  void lstm(const Direction &one, ValueId x, ValueId &h, ValueId &c) {
    const ValueId all = b_.add(x, recurrence(one, h));
    const auto gate = [&](std::int64_t row, std::size_t peep, ValueId cell) {
      ValueId sum = columns(all, row);
      if (one.peeps[peep].valid()) sum = b_.add(sum, b_.mul(one.peeps[peep], cell));
      return b_.op("Sigmoid", {sum});
    };
    const ValueId in = gate(0, 0, c), forget = gate(2, 2, c), fresh = b_.op("Tanh", {columns(all, 3)});
    c = b_.add(b_.mul(forget, c), b_.mul(in, fresh));
    h = b_.mul(gate(1, 1, c), b_.op("Tanh", {c}));
  }
};

} // namespace

Status unroll_recurrent(Graph &graph, const OpRegistry &ops) {
  bool any = false;
  for (const NodeId id : graph.nodes()) {
    const Node node = graph.node(id);
    if (!is_recurrent(node)) continue;
    const auto found = Unrolling(graph, ops, node).run();
    if (!found) return Status(found.error()).in(fmt::format("node {} ({})", node.label(), node.op));
    for (std::size_t i = 0; i < node.outputs.size(); ++i)
      if (node.outputs[i].valid()) graph.replace_uses(node.outputs[i], (*found)[i]);
    graph.remove(id);
    any = true;
  }
  return any ? graph.sort() : Status();
}

} // namespace edgec
