#include "measure/pareto.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace edgec {
namespace {

using testing::HasSubstr;
using testing::Not;

Pareto curve() {
  Pareto pareto{"a<b>.onnx", {}, 50000.0, 0.95};
  pareto.points = {{0.5, 40000, 0.9, 12.5, false}, {0.25, 50000, 0.96, 15.5, true}, {0.125, 60000, {}, {}, false}};
  return pareto;
}

TEST(Pareto, AsJson) {
  const auto read = nlohmann::json::parse(pareto_json(curve()));
  EXPECT_EQ(read["schema"], "edgec-pareto/1");
  EXPECT_EQ(read["max_bytes"], 50000.0);
  ASSERT_EQ(read["points"].size(), 3U);
  EXPECT_EQ(read["points"][1]["agreement"], 0.96);
  EXPECT_EQ(read["points"][1]["chosen"], true);
  EXPECT_TRUE(read["points"][2]["sqnr_db"].is_null());
}

TEST(Pareto, AsCsv) {
  EXPECT_EQ(pareto_csv(curve()),
            "rate,bytes,agreement,sqnr_db,chosen\n0.5,40000,0.9,12.5,0\n0.25,50000,0.96,15.5,1\n0.125,60000,,,0\n");
}

TEST(Pareto, AsADrawing) {
  const std::string svg = pareto_svg(curve());
  EXPECT_THAT(svg, HasSubstr("a&lt;b&gt;.onnx"));
  EXPECT_THAT(svg, HasSubstr("agreement on held-out samples"));
  // 40 .. 60 kB lie between x = 64 and 576; 90 .. 96 % and 12 .. 16 dB between y = 344 and 40.
  EXPECT_THAT(svg, HasSubstr("points=\"64.0,344.0 320.0,40.0\" class=\"agreement\""));
  EXPECT_THAT(svg, HasSubstr("points=\"64.0,306.0 320.0,78.0\" class=\"sqnr\""));
  EXPECT_THAT(svg, HasSubstr("cx=\"320.0\" cy=\"40.0\" r=\"4\" class=\"agreement chosen\""));
  EXPECT_THAT(svg, HasSubstr("x1=\"320.0\" y1=\"40.0\" x2=\"320.0\" y2=\"344.0\" class=\"budget\""));
}

TEST(Pareto, OnePointOrNoneIsADrawingToo) {
  Pareto pareto = curve();
  pareto.max_bytes.reset();
  pareto.points.resize(1);
  EXPECT_THAT(pareto_svg(pareto), Not(HasSubstr("nan")));
  pareto.points.clear();
  EXPECT_THAT(pareto_svg(pareto), Not(HasSubstr("nan")));
}

TEST(Pareto, ByTheNameOfTheFile) {
  EXPECT_EQ(pareto_text(curve(), "x.csv").value(), pareto_csv(curve()));
  EXPECT_EQ(pareto_text(curve(), "x.json").value(), pareto_json(curve()));
  EXPECT_EQ(pareto_text(curve(), "x.png").error().code, Code::usage);
}

} // namespace
} // namespace edgec
