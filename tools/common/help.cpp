#include "common/help.h"

namespace mas::tool {

std::string HelpFormatter::make_option_opts(const CLI::Option* option) const {
  if (option->get_type_size() == 0) return "";
  const std::string type = option->get_type_name();  // "N:INT in [1 - 5]": what is behind the colon is CLI11's
  return option->get_positional() ? "" : " " + type.substr(0, type.find(':'));
}

std::string HelpFormatter::make_option_desc(const CLI::Option* option) const {
  const std::string value = option->get_default_str();
  return option->get_description() + (value.empty() ? "" : " [" + value + "]");
}

std::string HelpFormatter::make_usage(const CLI::App* app, std::string name) const {
  std::string usage = "\nUsage: " + name;
  for (const auto* option : app->get_options({})) {
    if (!option->get_positional()) continue;
    const std::string text = option->get_name(true) + (option->get_items_expected_max() > 1 ? "..." : "");
    usage += option->get_required() ? " " + text : " [" + text + "]";
  }
  return usage + " [options]\n\n";
}

}  // namespace mas::tool
