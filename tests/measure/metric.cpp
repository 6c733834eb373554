// A program of the user's own says how good a network is, from files.
#include "measure/metric.h"

#include <gtest/gtest.h>

#include "data/npy.h"
#include "support/process.h"

namespace edgec {
namespace {

OutputNumbers numbers(Dims dims, std::vector<double> values, bool integers = false) {
  return {std::move(dims), std::move(values), integers};
}

/// What a command finds in the folder: each file of `files` is copied out.
class CommandMetric : public testing::Test {
protected:
  TemporaryFolder kept_ = std::move(TemporaryFolder::make().value());

  void keep(const NetworkOutputs &outputs) {
    const Metric metric = command_metric("cp {outputs}/* " + shell_word(kept_.path().string()) + " && echo ' 0.25 '");
    const auto value = metric.of(outputs);
    ASSERT_TRUE(value) << value.error().message;
    EXPECT_EQ(*value, 0.25);
  }
  [[nodiscard]] Tensor kept(const std::string &file) const { return load_npy(kept_.path() / file).value(); }
  [[nodiscard]] bool has(const std::string &file) const { return std::filesystem::exists(kept_.path() / file); }
};

TEST_F(CommandMetric, GetsTheRowsOfAllSamplesInOneArray) {
  keep({{"a/b", "n"},
        {{"first", 1, {numbers({1, 2}, {1, 2}), numbers({1}, {7}, true)}},
         {"second", 1, {numbers({1, 2}, {3, 4.5}), numbers({1}, {8}, true)}}}});
  const Tensor floats = kept("a_b.npy"), integers = kept("n.npy");
  EXPECT_EQ(floats.dtype, DType::float32);
  EXPECT_EQ(floats.dims, (Dims{2, 2}));
  EXPECT_EQ(to_doubles(floats), (std::vector<double>{1, 2, 3, 4.5}));
  EXPECT_EQ(integers.dtype, DType::int64);
  EXPECT_EQ(to_doubles(integers), (std::vector<double>{7, 8}));
  EXPECT_EQ(output_of("cat " + (kept_.path() / "outputs.json").string()).value(), R"({
  "samples": [
    "first",
    "second"
  ],
  "outputs": [
    {
      "name": "a/b",
      "files": [
        "a_b.npy"
      ]
    },
    {
      "name": "n",
      "files": [
        "n.npy"
      ]
    }
  ]
}
)");
}

TEST_F(CommandMetric, GetsAFileACallWhereRowsDoNotFitTogether) {
  keep({{"boxes", "scalar"},
        {{"x", 1, {numbers({2, 4}, std::vector<double>(8, 1)), numbers({}, {5})}},
         {"y", 1, {numbers({3, 4}, std::vector<double>(12, 2)), numbers({}, {6})}}}});
  EXPECT_EQ(kept("boxes.000000.npy").dims, (Dims{2, 4}));
  EXPECT_EQ(kept("boxes.000001.npy").dims, (Dims{3, 4}));
  EXPECT_EQ(kept("scalar.000001.npy").dims, (Dims{}));
  EXPECT_FALSE(has("boxes.npy"));
}

TEST_F(CommandMetric, GetsFilesOfTheirOwnForNamesThatLookAlike) {
  keep({{"a/b", "a_b", "..", "text"},
        {{"x", 1, {numbers({1}, {1}), numbers({1}, {2}), numbers({1}, {3}), numbers({}, {})}}}});
  EXPECT_EQ(to_doubles(kept("a_b.npy")), (std::vector<double>{1}));
  EXPECT_EQ(to_doubles(kept("a_b_.npy")), (std::vector<double>{2}));
  EXPECT_EQ(to_doubles(kept("_...npy")), (std::vector<double>{3}));
  EXPECT_FALSE(has("text.npy")); // no numbers
}

TEST(CommandMetricErrors, NameTheCommandAndWhatItPrinted) {
  const NetworkOutputs outputs{{"y"}, {{"x", 1, {numbers({1}, {1})}}}};
  for (const auto &[command, message] :
       {std::pair{"echo good", "--metric-command: echo good: printed 'good'; one JSON number was expected"},
        {"echo 1 2", "--metric-command: echo 1 2: printed '1 2'; one JSON number was expected"},
        {"true", "--metric-command: true: printed ''; one JSON number was expected"},
        {"echo 1; false", "--metric-command: echo 1; false: ended with status 1; 0 was expected"}}) {
    const auto value = command_metric(command).of(outputs);
    ASSERT_FALSE(value) << command;
    EXPECT_EQ(value.error().message, message);
    EXPECT_EQ(value.error().code, Code::bad_input);
  }
}

} // namespace
} // namespace edgec
