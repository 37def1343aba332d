#include "common/suggest.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "mas/io/bytes.h"
#include "mas/text.h"

namespace mas::tool {
namespace {

std::string meant_option(const CLI::App& app, const std::string& wrong) {
  std::vector<std::string> names;
  for (const auto* option : app.get_options())
    for (const auto& name : option->get_lnames()) names.push_back("--" + name);
  const auto begun =
      std::find_if(names.begin(), names.end(), [&](const std::string& name) { return starts_with(name, wrong); });
  return begun != names.end() ? *begun : likely(wrong, names);
}

// The first argument that looks like an option and isn't one.
std::string unknown_option(const CLI::App& app, int argc, char** argv) {
  for (int i = 1; i < argc; i++) {
    const std::string argument = argv[i];
    if (argument == "--") break;
    if (argument.size() < 2 || argument[0] != '-') continue;
    const std::string name = argument.substr(0, argument.find('='));
    const auto known = app.get_options([&](const CLI::Option* option) {
      return option->check_name(name) || (name[1] != '-' && option->check_name(name.substr(0, 2)));
    });
    const bool value = name[1] != '-' && std::string("0123456789.").find(name[1]) != std::string::npos;
    if (known.empty() && !value) return name;
  }
  return "";
}

// Of those that are meant once; null: none.
const CLI::Option* given_twice(const CLI::App& app) {
  for (const auto* option : app.get_options()) {
    const bool once = option->get_multi_option_policy() == CLI::MultiOptionPolicy::Throw;
    if (once && option->count() > static_cast<size_t>(option->get_items_expected_max())) return option;
  }
  return nullptr;
}

}  // namespace

std::string explain(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  const std::string wrong = unknown_option(app, argc, argv);
  if (!wrong.empty()) {
    const std::string meant = meant_option(app, wrong);
    return meant.empty() ? fmt::format("{}: unknown option; see {} --help", wrong, app.get_name())
                         : fmt::format("{}: unknown option; did you mean {}?", wrong, meant);
  }
  if (dynamic_cast<const CLI::ExtrasError*>(&error)) {
    return fmt::format("{}: unexpected argument; see {} --help", app.remaining().front(), app.get_name());
  }
  const auto* twice = dynamic_cast<const CLI::ArgumentMismatch*>(&error) ? given_twice(app) : nullptr;
  if (twice) return fmt::format("{}: given twice (see {} --help)", twice->get_name(), app.get_name());
  return fmt::format("{} (see {} --help)", error.what(), app.get_name());
}

}  // namespace mas::tool
