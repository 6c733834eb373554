#include "report/report_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "report/findings.h"
#include "report/html/markup.h"

namespace edgec {
namespace {

using Json = nlohmann::ordered_json;
using testing::HasSubstr;
using testing::Not;

/// A report with a name of the user's in every place where one may stand.
Json report_naming(const std::string &name) {
  const Json model{{"bytes", 1000}, {"parameters", 240}, {"parameter_bytes", 960}};
  const Json counts{{"low", -1}, {"high", 2}, {"counts", {1, 0, 9, 4}}};
  return {
      {"schema", "edgec-report/1"},
      {"provenance", {{"input", name}, {"output", name}, {"options", {{"int8", "true"}, {name, name}}}}},
      {"before", model},
      {"after", {{"bytes", 300}, {"parameters", 240}, {"parameter_bytes", 240}}},
      {"verified", {{"data", name}, {"samples", 200}, {"agreement", 0.97}, {"agreement_se", 0.01}, {"sqnr_db", 22.5}}},
      {"evaluated", nullptr},
      {"changes",
       {{"samples", 200},
        {"changed", 6},
        {"lost", 3},
        {"gained", 1},
        {"pairs", {{{"before", name}, {"after", "3"}, {"count", 6}}}},
        {"shown",
         {{{"name", name}, {"before", name}, {"after", "3"}, {"right", "3"}, {"lead", 2}, {"jpeg", "/9j/" + name}}}}}},
      {"layers",
       {{{"name", name},
         {"operator", "Conv"},
         {"parameters", 200},
         {"bytes", 200},
         {"bits_per_parameter", 8},
         {"weights", counts}},
        {{"name", "fc"},
         {"operator", "Gemm"},
         {"parameters", 40},
         {"bytes", 160},
         {"float_bytes", 160},
         {"left_float", name}}}},
      {"layers_before", {{{"name", name}, {"operator", "Conv"}, {"parameters", 200}, {"bytes", 800}}}},
      {"nodes",
       {{{"name", name}, {"operator", name}, {"number", "int8"}, {"inputs", Json::array()}, {"sqnr_db", 30}},
        {{"name", "fc"}, {"operator", "Gemm"}, {"number", "float"}, {"inputs", {0}}, {"sqnr_db", 20}}}},
      {"activations", {{{"name", name}, {"bits", 8}, {"low", 0}, {"high", 1}, {"clipped", 0.1}, {"seen", counts}}}},
      {"search",
       {{"points", {{{"bytes", 300}, {"agreement", 0.97}, {"chosen", true}}, {{"bytes", 400}, {"agreement", 0.99}}}}}},
      {"budgets", {{{"name", name}, {"limit", 1}, {"found", 2}, {"met", false}}}},
      {"warnings", {name}},
      {"notes", {name}},
      {"next", {name}}};
}

std::string text_of(const Json &report, const char *path) {
  const auto text = report_file_text(std::vector<Json>{report}, path);
  return text ? *text : text.error().message;
}

TEST(ReportFile, HostileNamesStayText) {
  const std::string name = std::string("</script><script>alert(1)</script>\"'><img src=x onerror=y>]]>--\xC3\x28|") +
                           std::string(1, '\0') + std::string(5000, 'x');
  const auto holds = [&](const char *path, std::string_view part) {
    return text_of(report_naming(name), path).find(part) != std::string::npos;
  };
  for (const char *path : {"r.html", "r.md", "r.xml"}) {
    for (const char *part : {"<script>alert", "<img src=x", "\xC3\x28", "]]>"})
      EXPECT_FALSE(holds(path, part)) << path << part;
    EXPECT_FALSE(holds(path, std::string_view("\0", 1))) << path;
  }
  EXPECT_TRUE(holds("r.html", "&lt;script&gt;alert(1)"));
}

TEST(ReportFile, PageHoldsTheReportOnce) {
  const Json report = report_naming("a<b");
  const std::string html = text_of(report, "r.html");
  const std::string begin = "<script type=\"application/json\" id=\"figures\">";
  const std::size_t from = html.find(begin) + begin.size(), to = html.find("</script>", from);
  EXPECT_EQ(Json::parse(html.substr(from, to - from)), Json::array({report}));
  EXPECT_EQ(html.find(begin, to), std::string::npos);
}

TEST(ReportFile, PageNeedsNoNetwork) {
  const std::string html = text_of(report_naming("conv"), "r.html");
  EXPECT_THAT(html, Not(HasSubstr("http")));
  EXPECT_THAT(html, Not(HasSubstr("@import")));
  for (std::size_t at = html.find("src="); at != std::string::npos; at = html.find("src=", at + 1))
    EXPECT_EQ(html.compare(at, 28, "src=\"data:image/jpeg;base64,"), 0);
}

TEST(ReportFile, EveryFigureHasATitleAndATextAlternative) {
  const std::string html = text_of(report_naming("conv"), "r.html");
  for (const char *id : {"findings-1", "size-1", "error-1", "answers-1", "tradeoff-1", "activations-1", "weights-1",
                         "network-1", "float-1", "provenance-1"})
    EXPECT_THAT(html, HasSubstr(std::string("<h2 id=\"") + id + "-title\">")) << id;
  for (std::size_t at = html.find("<svg"); at != std::string::npos; at = html.find("<svg", at + 1)) {
    const std::string head = html.substr(at, html.find('>', at) - at);
    EXPECT_TRUE(head.find("aria-label=\"") != std::string::npos || head.find("aria-hidden") != std::string::npos)
        << head;
  }
}

TEST(ReportFile, SaysWhatAReaderLooksFor) {
  const std::string html = text_of(report_naming("conv"), "r.html");
  EXPECT_THAT(html, HasSubstr("160 B of weights are still float: 67 %."));
  EXPECT_THAT(html, HasSubstr("fc (Gemm): 90 % of the error arises here, 20.0 dB behind it"));
  EXPECT_THAT(html, HasSubstr("--keep-float &#39;fc|conv&#39;"));
}

TEST(ReportFile, SaysWhichAnswersChanged) {
  const std::string html = text_of(report_naming("cat"), "r.html");
  EXPECT_THAT(html, HasSubstr("6 of 200 answers are not the original&#39;s: 3 were right and no longer are, 1 became "
                              "right, 2 are wrong either way."));
  EXPECT_THAT(html, HasSubstr("<th scope=\"row\">cat</th><td class=\"some\">6</td>"));
  EXPECT_THAT(html, HasSubstr("<b>cat \xE2\x86\x92 3</b><span>right: 3</span>"));
  Json report = report_naming("cat");
  for (int i = 0; i < 20; ++i)
    report["changes"]["pairs"].push_back({{"before", "class " + std::to_string(i)}, {"after", "3"}, {"count", 1}});
  EXPECT_THAT(text_of(report, "r.html"), HasSubstr("aria-label=\"Which class became which\"")); // too wide for a matrix
}

TEST(ReportFile, RunsStandSideBySide) {
  const std::vector<Json> two{report_naming("one"), report_naming("two")};
  const auto text = report_file_text(two, "r.html");
  ASSERT_TRUE(text);
  EXPECT_THAT(*text, HasSubstr("href=\"#run-2\""));
  EXPECT_THAT(*text, HasSubstr("id=\"error-2\""));
  EXPECT_EQ(report_file_text(two, "r.json").error().code, Code::usage);
}

TEST(ReportFile, WhatIsMissingOrOfAnotherKindIsLeftOut) {
  const Json report = report_naming("conv");
  for (const auto &[key, value] : report.items()) {
    if (key == "schema") continue;
    for (const Json &other : {Json(), Json(7), Json("x"), Json::array({1, "y", Json::object()}), Json{{"points", 3}}}) {
      Json changed = report;
      changed[key] = other;
      for (const char *path : {"r.html", "r.md", "r.xml"}) EXPECT_FALSE(text_of(changed, path).empty()) << key;
    }
  }
}

TEST(ReportFile, JunitCountsMissedBudgets) {
  const std::string xml = text_of(report_naming("net"), "r.xml");
  EXPECT_THAT(xml, HasSubstr("tests=\"2\" failures=\"1\""));
  EXPECT_THAT(xml, HasSubstr("<failure message=\"missed: found 2\">"));
}

TEST(Findings, ErrorArisesWhereItGrows) {
  const Json report{{"nodes",
                     {{{"name", "a"}, {"inputs", Json::array()}, {"sqnr_db", 40}},
                      {{"name", "b"}, {"inputs", {0}}, {"sqnr_db", 40}},
                      {{"name", "c"}, {"inputs", {1}}, {"sqnr_db", 30}}}}};
  const auto worst = worst_losses(View(report));
  ASSERT_EQ(worst.size(), 2U);
  EXPECT_EQ(worst[0].name, "c");
  EXPECT_NEAR(worst[0].share, 0.9, 1e-9);
  EXPECT_NEAR(worst[1].share, 0.1, 1e-9);
}

TEST(Findings, IntervalIsWilsons) {
  const auto [low, high] = interval_of(0.9, 100);
  EXPECT_NEAR(low, 0.8256, 1e-3);
  EXPECT_NEAR(high, 0.9448, 1e-3);
  EXPECT_EQ(interval_of(1, 0), std::pair(0.0, 1.0));
}

TEST(Markup, RefusesWhatIsNoText) {
  EXPECT_EQ(escaped("a<b>&\"'\x01"), "a&lt;b&gt;&amp;&quot;&#39;\xEF\xBF\xBD");
  EXPECT_EQ(escaped("\xE2\x82\xAC \xED\xA0\x80"), "\xE2\x82\xAC \xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(escaped("\xC0\xAF"), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(shortened("abcdef", 4), "abc\xE2\x80\xA6");
  EXPECT_EQ(shortened("abcd", 4), "abcd");
}

} // namespace
} // namespace edgec
