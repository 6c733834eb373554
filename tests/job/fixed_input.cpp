#include "job/fixed_input.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ir/text.h"

namespace edgec {
namespace {

/// A graph with an input of this type beside another one, and what reads it.
Graph graph_of(const std::string &type) {
  auto graph =
      parse_graph("<opset_import: [\"\" : 21]> g (" + type + " v, float[2] x) => (" + type + " y) { y = Identity(v) }");
  EXPECT_TRUE(graph) << graph.error().message;
  return *std::move(graph);
}

Result<Tensor> fixed(const std::string &type, const std::string &value) {
  Graph graph = graph_of(type);
  const std::vector<std::string> texts{"v=" + value};
  if (Status done = fix_inputs(graph, texts, false); !done) return std::move(done).error();
  EXPECT_EQ(graph.inputs().size(), 1U);
  const Tensor *data = graph.constant(graph.node(graph.nodes().front()).inputs[0]);
  EXPECT_NE(data, nullptr);
  return *data;
}

struct Kind {
  const char *type;
  std::vector<const char *> texts; // of elements
  std::vector<double> values;
  std::vector<const char *> wrong;
};

const Kind kinds[] = {
    {"float", {"1.5", "-2e3", "inf"}, {1.5, -2000, std::numeric_limits<double>::infinity()}, {"x", "1e39", "1.5f", ""}},
    {"double", {"1.5", "-2e3", "1e300"}, {1.5, -2000, 1e300}, {"one", "1e999"}},
    {"float16", {"1.5", "-2e3"}, {1.5, -2000}, {"1e6"}},
    {"bfloat16", {"1.5", "-2e38"}, {1.5, -2.0003e38}, {"1e39"}},
    {"int8", {"-128", "127"}, {-128, 127}, {"128", "-129", "1.0", "+1", " 1"}},
    {"uint8", {"0", "255"}, {0, 255}, {"256", "-1"}},
    {"int16", {"-32768", "32767"}, {-32768, 32767}, {"32768"}},
    {"uint16", {"0", "65535"}, {0, 65535}, {"65536", "-1"}},
    {"int32", {"-2147483648", "2147483647"}, {-2147483648.0, 2147483647}, {"2147483648"}},
    {"uint32", {"0", "4294967295"}, {0, 4294967295.0}, {"4294967296", "-1"}},
    {"int64", {"16000", "-9007199254740992"}, {16000, -9007199254740992.0}, {"9223372036854775808", "1e3"}},
    {"uint64", {"16000", "9007199254740992"}, {16000, 9007199254740992.0}, {"18446744073709551616", "-1"}},
    {"int4", {"-8", "7"}, {-8, 7}, {"8", "-9"}},
    {"uint4", {"0", "15"}, {0, 15}, {"16", "-1"}},
    {"bool", {"true", "false", "1", "0"}, {1, 0, 1, 0}, {"2", "yes"}},
};

TEST(FixedInput, HoldsEveryTypeOneForAllAndEachByItself) {
  for (const Kind &kind : kinds) {
    for (std::size_t i = 0; i < kind.texts.size(); ++i) {
      for (const char *shape : {"", "[]", "[3]", "[2,3]", "[2,0]"}) {
        const auto one = fixed(std::string(kind.type) + shape, kind.texts[i]);
        ASSERT_TRUE(one) << kind.type << shape << ": " << one.error().message;
        for (const double value : to_doubles(*one))
          EXPECT_TRUE(value == kind.values[i] || std::abs(value - kind.values[i]) <= 0.01 * std::abs(kind.values[i]))
              << kind.type << shape << ": " << value;
      }
    }
    std::string list = kind.texts[0];
    for (std::size_t i = 1; i < kind.texts.size(); ++i) list += std::string(",") + kind.texts[i];
    for (const std::string &shape :
         {fmt::format("[{}]", kind.texts.size()), std::string("[1,N]"), fmt::format("[1,{},1]", kind.texts.size())}) {
      const auto all = fixed(kind.type + shape, list);
      ASSERT_TRUE(all) << kind.type << shape << ": " << all.error().message;
      const auto values = to_doubles(*all);
      ASSERT_EQ(values.size(), kind.values.size());
      EXPECT_EQ(values.back(), to_doubles(*fixed(kind.type + std::string("[1]"), kind.texts.back()))[0]) << kind.type;
    }
  }
}

TEST(FixedInput, RefusesWhatIsNoElementOrNotAsManyAsTheShapeHas) {
  for (const Kind &kind : kinds) {
    for (const char *wrong : kind.wrong)
      EXPECT_FALSE(fixed(kind.type + std::string("[1]"), wrong)) << kind.type << " " << wrong;
    const std::string two = std::string(kind.texts[0]) + "," + kind.texts[1];
    for (const char *shape : {"[3]", "[3,N]", "[N,M]", "[1]"})
      EXPECT_FALSE(fixed(std::string(kind.type) + shape, two)) << kind.type << shape;
    EXPECT_FALSE(fixed(std::string(kind.type) + "[N]", kind.texts[0])) << kind.type;
    EXPECT_FALSE(fixed(std::string(kind.type) + "[100000,100000]", kind.texts[0])) << kind.type;
  }
}

TEST(FixedInput, IsStringsToo) {
  const auto words = fixed("string[2]", "a,b c");
  ASSERT_TRUE(words);
  EXPECT_EQ(*words->strings, (std::vector<std::string>{"a", "b c"}));
}

TEST(FixedInput, LeavesNamesThatOnlyOtherNetworksHave) {
  Graph graph = graph_of("float[1]");
  const std::vector<std::string> texts{"sr=16000", "v=2"};
  EXPECT_FALSE(fix_inputs(graph, texts, false));
  EXPECT_TRUE(fix_inputs(graph, texts, true));
  EXPECT_EQ(graph.inputs().size(), 1U);
}

TEST(FixedInput, AnOutputThatIsTheInputBecomesTheConstant) {
  auto graph = parse_graph("<opset_import: [\"\" : 21]> g (float[2] v) => (float[2] v) { }");
  ASSERT_TRUE(graph) << graph.error().message;
  const std::vector<std::string> texts{"v=2"};
  ASSERT_TRUE(fix_inputs(*graph, texts, false));
  EXPECT_NE(graph->constant(graph->outputs()[0].value), nullptr);
}

} // namespace
} // namespace edgec
