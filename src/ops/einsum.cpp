// Einsum: sums of products over named axes ("bij,bjk->bik"), with ellipses.
#include <algorithm>
#include <cctype>
#include <map>

#include <fmt/format.h>

#include "ops/shared/elements.h"
#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

/// Axis names of every operand and the result; an ellipsis is spelled out as capital-free private names '0', '1', ...
struct Equation {
  std::vector<std::string> operands;
  std::string output;
};

/// Parses the equation for operands of the given ranks.
Result<Equation> parse(const Node &node, const std::vector<std::size_t> &ranks) {
  std::string text;
  for (const char c : node.get_string("equation", ""))
    if (c != ' ') text += c;
  const auto bad = [&](std::string_view why) { return bad_input(fmt::format("equation \"{}\": {}", text, why)); };
  if (text.size() > 4096) return bad("too long");
  const std::size_t arrow = text.find("->");
  const std::string left = text.substr(0, arrow);
  std::vector<std::string> terms(1);
  for (const char c : left) {
    if (c == ',')
      terms.emplace_back();
    else
      terms.back() += c;
  }
  if (terms.size() != ranks.size()) return bad(fmt::format("{} terms for {} operands", terms.size(), ranks.size()));
  std::size_t widest = 0; // axes that ellipses stand for, aligned at their last
  const auto named = [](const std::string &term) {
    return term.find("...") == std::string::npos ? term.size() : term.size() - 3;
  };
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const bool open = terms[i].find("...") != std::string::npos;
    if (open ? named(terms[i]) > ranks[i] : named(terms[i]) != ranks[i])
      return bad(fmt::format("term {} for an operand of rank {}", terms[i], ranks[i]));
    if (open) widest = std::max(widest, ranks[i] - named(terms[i]));
  }
  if (widest > 10) return bad("an ellipsis of more than 10 axes");
  const auto spelled = [&](std::string term, std::size_t axes) {
    const std::size_t at = term.find("...");
    if (at == std::string::npos) return term;
    std::string names;
    for (std::size_t k = widest - axes; k < widest; ++k) names += static_cast<char>('0' + k);
    return term.replace(at, 3, names);
  };
  Equation found;
  std::map<char, int> count;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    found.operands.push_back(spelled(terms[i], ranks[i] - named(terms[i])));
    for (const char c : found.operands.back()) ++count[c];
  }
  if (arrow != std::string::npos) {
    found.output = spelled(text.substr(arrow + 2), widest);
  } else { // ellipsis first, then names that stand once, in order
    for (const auto &[axis, times] : count)
      if (axis <= '9' || times == 1) found.output += axis;
  }
  for (const auto &[axis, times] : count)
    if (!std::isalnum(static_cast<unsigned char>(axis))) return bad("axes are letters");
  for (const char c : found.output)
    if (!count.contains(c) || std::ranges::count(found.output, c) > 1)
      return bad("the result must name axes of the operands, each once");
  return found;
}

using Sizes = std::map<char, Dim>;

Result<Sizes> sizes(const Equation &equation, const std::vector<const Shape *> &shapes) {
  Sizes found;
  for (std::size_t i = 0; i < shapes.size(); ++i)
    for (std::size_t k = 0; k < equation.operands[i].size(); ++k) {
      const char axis = equation.operands[i][k];
      const Dim &dim = (*shapes[i])[k];
      const auto [entry, fresh] = found.emplace(axis, dim);
      Dim &known = entry->second;
      if (fresh || known == dim) continue;
      if (known.size == 1)
        known = dim;
      else if (dim.is_known() && known.is_known() && dim.size != 1)
        return bad_input(fmt::format("axis {} has sizes {} and {}", axis, known.size, dim.size));
      else if (dim.is_known() && dim.size != 1)
        known = dim;
    }
  return found;
}

Result<std::vector<Type>> infer(const InferArgs &args) {
  EDGEC_CHECK(require(args, std::max<std::size_t>(args.inputs.size(), 1)));
  std::vector<std::size_t> ranks;
  std::vector<const Shape *> shapes;
  for (const Type *type : args.inputs) {
    if (!type->shape) return std::vector<Type>{Type::tensor(args.inputs[0]->dtype)};
    ranks.push_back(type->shape->size());
    shapes.push_back(&*type->shape);
  }
  EDGEC_ASSIGN(const Equation equation, parse(args.node, ranks));
  EDGEC_ASSIGN(const Sizes found, sizes(equation, shapes));
  Shape out;
  for (const char axis : equation.output) out.push_back(found.at(axis));
  return std::vector<Type>{Type::tensor(args.inputs[0]->dtype, std::move(out))};
}

/// All axes, the result's first, and how far neighbours along each lie apart in every operand.
struct Loops {
  std::vector<std::int64_t> sizes;
  std::vector<std::vector<std::int64_t>> steps; // by operand
  std::size_t outer = 0;                        // axes of the result
};

Loops loops(const Equation &equation, const Sizes &sizes, std::span<const Tensor *const> inputs) {
  Loops found;
  std::string axes = equation.output;
  for (const auto &[axis, dim] : sizes)
    if (axes.find(axis) == std::string::npos) axes += axis;
  for (const char axis : axes) found.sizes.push_back(sizes.at(axis).size);
  found.outer = equation.output.size();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    std::vector<std::int64_t> steps(axes.size(), 0);
    const auto own = strides(inputs[i]->dims);
    for (std::size_t k = 0; k < own.size(); ++k)
      if (inputs[i]->dims[k] != 1) steps[axes.find(equation.operands[i][k])] += own[k]; // a repeated name is a diagonal
    found.steps.push_back(std::move(steps));
  }
  return found;
}

Result<std::vector<RuntimeValue>> reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer));
  std::vector<std::size_t> ranks;
  std::vector<Type> own;
  for (const Tensor *tensor : args.inputs) {
    ranks.push_back(tensor->dims.size());
    own.push_back(Type::of(*tensor));
  }
  std::vector<const Shape *> shapes;
  for (const Type &type : own) shapes.push_back(&*type.shape);
  EDGEC_ASSIGN(const Equation equation, parse(args.node, ranks));
  EDGEC_ASSIGN(const Sizes found, sizes(equation, shapes));
  const Loops loop = loops(equation, found, args.inputs);
  const Dims dims = *types[0].concrete();
  if (!element_count(loop.sizes) || *element_count(loop.sizes) > (std::int64_t{1} << 40))
    return resource_error("more than 2^40 products");
  const std::int64_t inner = product(loop.sizes, loop.outer, loop.sizes.size());
  std::vector<std::vector<double>> x;
  for (const Tensor *tensor : args.inputs) x.push_back(to_doubles(*tensor));
  std::vector<double> out(static_cast<std::size_t>(*element_count(dims)));
  std::vector<std::int64_t> at(loop.sizes.size()), offsets(x.size());
  for (double &sum : out)
    for (std::int64_t i = 0; i < inner; ++i) {
      double term = 1;
      for (std::size_t k = 0; k < x.size(); ++k) term *= x[k][static_cast<std::size_t>(offsets[k])];
      sum += term;
      for (std::size_t a = at.size(); a-- > 0;) { // the next combination of indices
        for (std::size_t k = 0; k < x.size(); ++k) offsets[k] += loop.steps[k][a];
        if (++at[a] < loop.sizes[a]) break;
        for (std::size_t k = 0; k < x.size(); ++k) offsets[k] -= loop.steps[k][a] * loop.sizes[a];
        at[a] = 0;
      }
    }
  return one(from_doubles(args.inputs[0]->dtype, dims, out));
}

const OpDef defs[] = {{.name = "Einsum",
                       .since = 12,
                       .summary = "sums of products over named axes",
                       .data_operands = OperandSet::all(),
                       .infer = infer,
                       .reference = reference}};

} // namespace

std::span<const OpDef> einsum() { return defs; }

} // namespace edgec::ops
