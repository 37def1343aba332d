#pragma once
#include <CLI/CLI.hpp>

namespace mas::tool {

/// --help that fits a screen: a line an option, with its default, without CLI11's type and range notes.
class HelpFormatter : public CLI::Formatter {
 public:
  HelpFormatter() { column_width(26); }
  std::string make_option_opts(const CLI::Option* option) const override;
  std::string make_option_desc(const CLI::Option* option) const override;
  std::string make_usage(const CLI::App* app, std::string name) const override;
};

}  // namespace mas::tool
