#include "common/suggest.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace mas::tool {
namespace {

size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); j++) row[j] = j;
  for (size_t i = 1; i <= a.size(); i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); j++) {
      const size_t change = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
    }
  }
  return row.back();
}

std::string nearest_option(const CLI::App& app, const std::string& wrong) {
  std::string nearest;
  size_t least = std::string::npos;
  for (const auto* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) {
      const size_t distance = edit_distance(wrong, "--" + name);
      if (distance < least) {
        least = distance;
        nearest = "--" + name;
      }
    }
  }
  return nearest;
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

}  // namespace

std::string explain(const CLI::App& app, const CLI::ParseError& error, int argc, char** argv) {
  const std::string wrong = unknown_option(app, argc, argv);
  if (!wrong.empty()) return fmt::format("{}: unknown option; did you mean {}?", wrong, nearest_option(app, wrong));
  std::string text = error.what();
  if (dynamic_cast<const CLI::ExtrasError*>(&error)) {
    return fmt::format("{}; see {} --help", text.substr(0, text.find('\n')), app.get_name());
  }
  return fmt::format("{} (see {} --help)", text, app.get_name());
}

}  // namespace mas::tool
