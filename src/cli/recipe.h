// Recipes: TOML files that say what flags say, under the same names.
#pragma once

#include <string>
#include <string_view>

#include "support/option.h"

namespace edgec {

/// Sets every option that the recipe names and no flag gave. Errors: bad_input where the file is not TOML; usage where
/// a key is not a flag of the command (with the nearest ones) or a value does not fit.
Status apply_recipe(const std::string &path, Options &options);
/// The same of a recipe's text; `name` is for messages.
Status apply_recipe_text(std::string_view text, const std::string &name, Options &options);

/// The options given (arguments, recipe flags and --force left out) as a recipe.
std::string recipe_text(Options &options);

} // namespace edgec
