// StringConcat, StringSplit, StringNormalizer, TfIdfVectorizer: text as far as networks take it.
#include <algorithm>
#include <cctype>
#include <map>

#include <fmt/format.h>

#include "ops/shared/broadcast.h"
#include "ops/shared/shape.h"

namespace edgec::ops {
namespace {

using Strings = std::vector<std::string>;

Result<const Strings *> strings_of(const EvalArgs &args, std::size_t i) {
  if (!args.input(i) || args.inputs[i]->dtype != DType::string)
    return bad_input(fmt::format("operand {} must hold strings", i));
  return args.inputs[i]->strings.get();
}

Strings strings_attribute(const Node &node, std::string_view name) {
  const auto *found = node.get<Strings>(name);
  return found ? *found : Strings();
}

// ---- StringConcat

Result<std::vector<RuntimeValue>> concat_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const Strings *a, strings_of(args, 0));
  EDGEC_ASSIGN(const Strings *b, strings_of(args, 1));
  EDGEC_ASSIGN(const Dims dims, broadcast(args.inputs[0]->dims, args.inputs[1]->dims));
  BroadcastIndex first(args.inputs[0]->dims, dims), second(args.inputs[1]->dims, dims);
  Strings out(static_cast<std::size_t>(*element_count(dims)));
  for (std::string &text : out) text = (*a)[first.next()] + (*b)[second.next()];
  return one(Tensor::of_strings(dims, std::move(out)));
}

// ---- StringSplit: [...] to [..., most parts], missing parts empty, and how many there are

Result<std::vector<Type>> infer_split(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.input(0);
  if (!in.shape) return std::vector<Type>{Type::tensor(DType::string), Type::tensor(DType::int64)};
  Shape parts = *in.shape;
  parts.push_back(Dim::unknown());
  return std::vector<Type>{Type::tensor(DType::string, std::move(parts)), Type::tensor(DType::int64, in.shape)};
}

/// Python's str.split: without a delimiter at runs of white space; at most `most` cuts where that is not negative.
Strings split(std::string_view text, const std::string &delimiter, std::int64_t most) {
  Strings parts;
  if (!delimiter.empty()) {
    for (std::int64_t cuts = 0; most < 0 || cuts < most; ++cuts) {
      const std::size_t at = text.find(delimiter);
      if (at == std::string_view::npos) break;
      parts.emplace_back(text.substr(0, at));
      text.remove_prefix(at + delimiter.size());
    }
    parts.emplace_back(text);
    return parts;
  }
  const auto trim = [&] { text.remove_prefix(std::min(text.find_first_not_of(" \t\n\r\v\f"), text.size())); };
  for (trim(); !text.empty(); trim()) {
    const bool last = most >= 0 && static_cast<std::int64_t>(parts.size()) == most;
    const std::size_t end =
        last ? text.find_last_not_of(" \t\n\r\v\f") + 1 : std::min(text.find_first_of(" \t\n\r\v\f"), text.size());
    parts.emplace_back(text.substr(0, end));
    text.remove_prefix(last ? text.size() : end);
  }
  return parts;
}

Result<std::vector<RuntimeValue>> split_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const Strings *in, strings_of(args, 0));
  const std::string delimiter = args.node.get_string("delimiter", "");
  const std::int64_t most = args.node.get_int("maxsplit", -1);
  std::vector<Strings> all;
  std::size_t widest = 0;
  for (const std::string &text : *in) {
    all.push_back(text.empty() ? Strings() : split(text, delimiter, most));
    widest = std::max(widest, all.back().size());
  }
  Dims dims = args.inputs[0]->dims;
  std::vector<std::int64_t> counts;
  Strings out;
  for (Strings &parts : all) {
    counts.push_back(static_cast<std::int64_t>(parts.size()));
    parts.resize(widest);
    out.insert(out.end(), parts.begin(), parts.end());
  }
  dims.push_back(static_cast<std::int64_t>(widest));
  EDGEC_CHECK(check_size(DType::string, dims));
  auto outputs = one(Tensor::of_strings(std::move(dims), std::move(out)));
  outputs.emplace_back(Tensor::of(args.inputs[0]->dims, std::move(counts)));
  return outputs;
}

// ---- StringNormalizer: [count] or [1, count] without stop words, in lower or upper case

Result<std::vector<Type>> infer_normalizer(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  const Type &in = *args.input(0);
  if (!in.shape) return std::vector<Type>{Type::tensor(DType::string)};
  if (in.shape->empty() || in.shape->size() > 2)
    return bad_input(fmt::format("the operand has rank {}, not 1 or 2", in.shape->size()));
  Shape out = *in.shape;
  out.back() = Dim::unknown();
  return std::vector<Type>{Type::tensor(DType::string, std::move(out))};
}

/// ASCII letters only: what others become depends on a locale.
std::string in_case(std::string text, bool upper) {
  for (char &c : text)
    if (static_cast<unsigned char>(c) < 128) c = static_cast<char>(upper ? std::toupper(c) : std::tolower(c));
  return text;
}

Result<std::vector<RuntimeValue>> normalizer_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const Strings *in, strings_of(args, 0));
  const bool sensitive = args.node.get_int("is_case_sensitive", 0) != 0;
  const std::string action = args.node.get_string("case_change_action", "NONE");
  const auto compared = [&](const std::string &text) { return sensitive ? text : in_case(text, false); };
  Strings stop = strings_attribute(args.node, "stopwords"), out;
  for (std::string &word : stop) word = compared(word);
  for (const std::string &text : *in) {
    if (std::ranges::find(stop, compared(text)) != stop.end()) continue;
    out.push_back(action == "NONE" ? text : in_case(text, action == "UPPER"));
  }
  if (out.empty()) out.emplace_back();
  Dims dims = args.inputs[0]->dims;
  if (dims.empty() || (dims.size() == 2 && dims[0] != 1)) return bad_input("expected [count] or [1, count]");
  dims.back() = static_cast<std::int64_t>(out.size());
  return one(Tensor::of_strings(std::move(dims), std::move(out)));
}

// ---- TfIdfVectorizer: how often each of a list of n-grams occurs in [count] or [batch, count]

/// The list: n-grams as their elements, joined by what no number's text holds, to where they are counted.
struct Grams {
  std::map<std::string, std::size_t> place;
  std::vector<std::int64_t> index;
  std::int64_t size = 0; // of a row
};

std::string joined(std::span<const std::string> words) {
  std::string text;
  for (const std::string &word : words) text += fmt::format("{}:{}", word.size(), word);
  return text;
}

Result<Grams> grams(const Node &node) {
  Grams found;
  Strings pool = strings_attribute(node, "pool_strings");
  if (pool.empty())
    for (const std::int64_t number : node.get_ints("pool_int64s")) pool.push_back(std::to_string(number));
  const auto counts = node.get_ints("ngram_counts");
  found.index = node.get_ints("ngram_indexes");
  std::size_t next = 0;
  for (std::size_t n = 1; n <= counts.size(); ++n) { // counts tell where the n-grams of each length begin
    const std::int64_t begin = counts[n - 1],
                       end = n < counts.size() ? counts[n] : static_cast<std::int64_t>(pool.size());
    if (begin < 0 || end < begin || end > static_cast<std::int64_t>(pool.size()) ||
        (end - begin) % static_cast<std::int64_t>(n) != 0)
      return bad_input("ngram_counts do not fit the pool");
    for (std::int64_t at = begin; at < end; at += static_cast<std::int64_t>(n))
      found.place.emplace(joined(std::span(pool).subspan(static_cast<std::size_t>(at), n)), next++);
  }
  if (next != found.index.size()) return bad_input(fmt::format("{} n-grams have {} indices", next, found.index.size()));
  for (const std::int64_t index : found.index) {
    if (index < 0 || index > INT32_MAX) return bad_input(fmt::format("index {}", index));
    found.size = std::max(found.size, index + 1);
  }
  return found;
}

Result<std::vector<Type>> infer_tfidf(const InferArgs &args) {
  EDGEC_CHECK(require(args, 1));
  EDGEC_ASSIGN(const Grams list, grams(args.node));
  const Type &in = *args.input(0);
  if (!in.shape) return std::vector<Type>{Type::tensor(DType::float32)};
  if (in.shape->empty() || in.shape->size() > 2)
    return bad_input(fmt::format("the operand has rank {}, not 1 or 2", in.shape->size()));
  Shape out = *in.shape;
  out.back() = Dim::known(list.size);
  return std::vector<Type>{Type::tensor(DType::float32, std::move(out))};
}

void count_grams(const Grams &list, std::span<const std::string> row, const Node &node, std::vector<float> &counts) {
  const std::int64_t least = node.get_int("min_gram_length", 1), most = node.get_int("max_gram_length", 1),
                     skips = node.get_int("max_skip_count", 0);
  const auto size = static_cast<std::int64_t>(row.size());
  for (std::int64_t n = std::max<std::int64_t>(least, 1); n <= std::min(most, size); ++n)
    for (std::int64_t skip = 0; skip <= (n == 1 ? 0 : std::min(skips, size)); ++skip)
      for (std::int64_t start = 0; start + (n - 1) * (skip + 1) < size; ++start) {
        Strings gram;
        for (std::int64_t k = 0; k < n; ++k) gram.push_back(row[static_cast<std::size_t>(start + k * (skip + 1))]);
        if (const auto found = list.place.find(joined(gram)); found != list.place.end()) counts[found->second] += 1;
      }
}

Result<std::vector<RuntimeValue>> tfidf_reference(const EvalArgs &args) {
  EDGEC_ASSIGN(const auto types, concrete_outputs(args, infer_tfidf));
  EDGEC_ASSIGN(const Grams list, grams(args.node));
  const Tensor &in = *args.inputs[0];
  Strings words;
  if (in.dtype == DType::string)
    words = *in.strings;
  else
    for (const std::int64_t number : to_int64s(in)) words.push_back(std::to_string(number));
  const std::string mode = args.node.get_string("mode", "TF");
  const auto *given = args.node.get<std::vector<float>>("weights");
  if (given && given->size() != list.index.size()) return bad_input("as many weights as n-grams are needed");
  const Dims dims = *types[0].concrete();
  const std::size_t rows = dims.size() == 2 ? static_cast<std::size_t>(dims[0]) : 1,
                    length = static_cast<std::size_t>(in.dims.back());
  std::vector<float> out(rows * static_cast<std::size_t>(list.size));
  for (std::size_t row = 0; row < rows; ++row) {
    std::vector<float> counts(list.index.size());
    count_grams(list, std::span<const std::string>(words).subspan(row * length, length), args.node, counts);
    for (std::size_t i = 0; i < counts.size(); ++i) {
      const float weight = given ? (*given)[i] : 1,
                  value = mode == "TF" ? counts[i] : (mode == "IDF" ? std::min(counts[i], 1.0F) : counts[i]) * weight;
      out[row * static_cast<std::size_t>(list.size) + static_cast<std::size_t>(list.index[i])] = value;
    }
  }
  return one(Tensor::of(dims, std::move(out)));
}

OpDef text_op(std::string_view name, int since, std::string_view summary, decltype(OpDef::infer) infer,
              decltype(OpDef::reference) reference) {
  return {.name = name,
          .since = since,
          .summary = summary,
          .quant = QuantRule::not_data,
          .infer = infer,
          .reference = reference};
}

const OpDef defs[] = {
    text_op("StringConcat", 20, "strings joined pair by pair", infer_broadcast, concat_reference),
    text_op("StringNormalizer", 10, "words without stop words, in lower or upper case", infer_normalizer,
            normalizer_reference),
    text_op("StringSplit", 20, "strings cut at a delimiter", infer_split, split_reference),
    text_op("TfIdfVectorizer", 9, "counts of n-grams", infer_tfidf, tfidf_reference),
};

} // namespace

std::span<const OpDef> strings() { return defs; }

} // namespace edgec::ops
