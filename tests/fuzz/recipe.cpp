// Any bytes are a recipe or refused; what a recipe says can be written as a recipe, and says the same again.
#include <cstdlib>

#include "cli/recipe.h"

namespace {

/// A command with an option of every kind.
struct Command {
  bool flag = false;
  int small = 0;
  std::int64_t whole = 0;
  std::uint64_t seed = 0;
  double real = 0;
  std::string text, choice;
  std::optional<double> maybe_real;
  std::optional<std::int64_t> maybe_whole;
  std::vector<std::string> list, split;
  edgec::Options options{"fuzz", "A command.", ""};

  Command() {
    options.argument("MODEL", &text, "the network");
    options.flag("--flag", &flag, "a switch");
    options.add("--small", "N", &small, "a number").between(-5, 5);
    options.add("--whole", "N", &whole, "a number");
    options.add("--seed", "S", &seed, "a number");
    options.add("--real", "X", &real, "a number").between(0, 1);
    options.add("-o,--output", "FILE", &text, "a text");
    options.add("--choice", "C", &choice, "one of two").one_of({"a", "b"});
    options.add("--maybe-real", "X", &maybe_real, "a number");
    options.add("--maybe-whole", "N", &maybe_whole, "a number");
    options.add("--list", "T", &list, "texts");
    options.add("--split", "A,B", &split, "texts").split(',');
  }
};

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  Command first;
  if (!edgec::apply_recipe_text({reinterpret_cast<const char *>(data), size}, "recipe", first.options)) return 0;
  const std::string text = edgec::recipe_text(first.options);
  Command second;
  if (!edgec::apply_recipe_text(text, "recipe", second.options)) std::abort();
  if (edgec::recipe_text(second.options) != text) std::abort();
  return 0;
}
