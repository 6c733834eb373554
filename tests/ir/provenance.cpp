#include "ir/provenance.h"

#include <gtest/gtest.h>

namespace edgec {
namespace {

TEST(Provenance, ReplacesAnEarlierRunAndKeepsTheRest) {
  Model model;
  model.metadata = {{"author", "somebody"}, {"edgec.version", "0.0"}, {"edgec.isa", "avx2"}};
  model.source_sha256 = "abc";
  add_provenance(model, {.version = "0.1", .options = "int8", .seed = 7});
  EXPECT_EQ(model.metadata, (Metadata{{"author", "somebody"},
                                      {"edgec.version", "0.1"},
                                      {"edgec.options", "int8"},
                                      {"edgec.seed", "7"},
                                      {"edgec.input_sha256", "abc"}}));
}

} // namespace
} // namespace edgec
