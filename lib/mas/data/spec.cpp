#include "mas/data/spec.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "mas/data/formats.h"
#include "mas/error.h"
#include "mas/text.h"

namespace mas {
namespace {

constexpr int64_t kMaxClass = INT32_MAX;
constexpr size_t kMaxClasses = 1 << 20;
constexpr int64_t kMaxSide = 1 << 15, kMaxPixels = 1 << 26;  // of one image

[[noreturn]] void refuse(const std::string& key, const std::string& value, const std::string& cause) {
  throw UsageError(key + "=" + value, cause);
}

int64_t whole(const std::string& key, const std::string& value, int64_t low, int64_t high) {
  int64_t number = 0;
  if (!parse_number(value, number) || number < low || number > high)
    refuse(key, value, fmt::format("must be a whole number from {} to {}", low, high));
  return number;
}

uint64_t seed(const std::string& key, const std::string& value) {
  uint64_t number = 0;
  if (!parse_number(value, number)) refuse(key, value, "must be a whole number from 0 to 18446744073709551615");
  return number;
}

// Fields between commas; "\," and "\\" are a comma and a backslash that belong to the field.
std::vector<std::string> fields(const std::string& text) {
  std::vector<std::string> parts(1);
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size() && (text[i + 1] == ',' || text[i + 1] == '\\'))
      parts.back() += text[++i];
    else if (text[i] == ',')
      parts.emplace_back();
    else
      parts.back() += text[i];
  }
  return parts;
}

std::string escaped(const std::string& text) {
  std::string result;
  for (char c : text) {
    if (c == ',' || c == '\\') result += '\\';
    result += c;
  }
  return result;
}

void parse_split(DataSpec& spec, const std::string& value) {
  std::string share = value;
  spec.split = Split::kTrain;
  if (value == "train") return;
  if (value == "test") {
    spec.split = Split::kTest;
    return;
  }
  if (value.rfind("train:", 0) == 0) share = value.substr(6);
  if (value.rfind("test:", 0) == 0) {
    share = value.substr(5);
    spec.split = Split::kTest;
  }
  double fraction = 0;
  if (!parse_number(share, fraction) || fraction <= 0 || fraction >= 1)
    refuse("split", value, "must be train, test, or the training share between 0 and 1 as 0.8, train:0.8 or test:0.8");
  spec.fraction = fraction;
}

// HEIGHTxWIDTH, or one number for both.
std::pair<int64_t, int64_t> parse_sides(const std::string& key, const std::string& value) {
  const auto sides = cut(value, 'x');
  int64_t height = 0, width = 0;
  if (sides.size() > 2 || !parse_number(sides[0], height) || !parse_number(sides.back(), width) || height < 1 ||
      width < 1 || height > kMaxSide || width > kMaxSide)
    refuse(key, value, fmt::format("must be N or HEIGHTxWIDTH, each from 1 to {}", kMaxSide));
  if (height * width > kMaxPixels) refuse(key, value, fmt::format("more than {} pixels", kMaxPixels));
  return {height, width};
}

void set_size(DataSpec& spec, const std::string& value) {
  spec.size = parse_sides("size", value);
  spec.square = value.find('x') == std::string::npos;
}

std::string check_normalize(const std::string& value) {
  if (value != "auto") parse_normalize(value);
  return value;
}

std::string sides_text(const std::pair<int64_t, int64_t>& sides) {
  return fmt::format("{}x{}", sides.first, sides.second);
}

using Setter = void (*)(DataSpec&, const std::string&);
const std::pair<const char*, Setter> kKeys[] = {
    {"classes", [](DataSpec& s, const std::string& v) { s.classes = parse_classes("classes", v); }},
    {"split", parse_split},
    {"limit", [](DataSpec& s, const std::string& v) { s.limit = whole("limit", v, 1, INT64_MAX); }},
    {"size", set_size},
    {"crop", [](DataSpec& s, const std::string& v) { s.crop = parse_sides("crop", v); }},
    {"pad", [](DataSpec& s, const std::string& v) { s.pad = whole("pad", v, 0, kMaxSide); }},
    {"permute", [](DataSpec& s, const std::string& v) { s.permute = seed("permute", v); }},
    {"rotate",
     [](DataSpec& s, const std::string& v) {
       if (!parse_number(v, s.rotate) || std::fabs(s.rotate) > 360) refuse("rotate", v, "must be degrees, -360 to 360");
     }},
    {"normalize", [](DataSpec& s, const std::string& v) { s.normalize = check_normalize(v); }},
    {"labels",
     [](DataSpec& s, const std::string& v) {
       if (v.empty()) refuse("labels", v, "must be a file, or first, last or none");
       s.labels = v;
     }},
    {"cache",
     [](DataSpec& s, const std::string& v) {
       if (v.empty()) refuse("cache", v, "must be a file");
       s.cache = v;
     }},
    {"vectors",
     [](DataSpec& s, const std::string& v) {
       if (v.empty()) refuse("vectors", v, "must be a file");
       s.vectors = v;
     }},
    {"seed", [](DataSpec& s, const std::string& v) { s.seed = seed("seed", v); }},
};

void set_key(DataSpec& spec, const std::string& key, const std::string& value) {
  for (const auto& [name, setter] : kKeys)
    if (key == name) return setter(spec, value);
  const Generator* generator = find_generator(spec.source);
  if (generator && std::count(generator->keys.begin(), generator->keys.end(), key)) {
    generator->check(key, value);
    spec.generator.emplace_back(key, value);
    return;
  }
  std::vector<std::string> keys;
  for (const auto& entry : kKeys) keys.push_back(entry.first);
  if (generator) keys.insert(keys.end(), generator->keys.begin(), generator->keys.end());
  for (const auto& other : generators())
    if (std::count(other.keys.begin(), other.keys.end(), key))
      refuse(key, value, fmt::format("only the generator {} has this key, not {}", other.name, spec.source));
  refuse(key, value, fmt::format("no such key; did you mean {}?", nearest(key, keys)));
}

}  // namespace

std::vector<std::pair<double, double>> parse_normalize(const std::string& value) {
  // Of ImageNet's training images, which the published networks of PyTorch's torchvision take.
  if (value == "imagenet") return {{0.485, 0.229}, {0.456, 0.224}, {0.406, 0.225}};
  std::vector<std::pair<double, double>> pairs;
  const double unit = value.find('/') == std::string::npos ? 1 : 255;
  for (const auto& pair : cut(value, ';')) {
    const auto numbers = cut(pair, unit == 1 ? ':' : '/');
    double mean = 0, deviation = 0;
    if (numbers.size() != 2 || !parse_number(numbers[0], mean) || !parse_number(numbers[1], deviation) ||
        std::fabs(mean) > 1e30 || deviation < 1e-30 || deviation > 1e30)
      refuse("normalize", value,
             "must be auto, imagenet, or MEAN:STD (of 0 to 1) or MEAN/STD (of 0 to 255) with STD above 0, one pair or "
             "one a channel separated by ';'");
    pairs.emplace_back(mean / unit, deviation / unit);
  }
  return pairs;
}

std::vector<int64_t> parse_classes(const std::string& key, const std::string& text) {
  std::vector<int64_t> classes;
  std::set<int64_t> seen;
  for (const auto& part : cut(text, ';')) {
    const auto ends = cut(part, '-');
    int64_t first = 0, last = 0;
    if (ends.size() > 2 || !parse_number(ends[0], first) || !parse_number(ends.back(), last) || first > last ||
        last > kMaxClass)
      refuse(key, text, "must be labels such as 0-4 or 0-1;5");
    if (static_cast<size_t>(last - first) >= kMaxClasses - classes.size()) refuse(key, text, "too many classes");
    for (int64_t label = first; label <= last; ++label) {
      if (!seen.insert(label).second) refuse(key, text, fmt::format("class {} is given twice", label));
      classes.push_back(label);
    }
  }
  return classes;
}

std::string format_classes(const std::vector<int64_t>& classes) {
  std::string text;
  for (size_t i = 0; i < classes.size();) {
    size_t end = i + 1;
    while (end < classes.size() && classes[end] == classes[end - 1] + 1) ++end;
    if (!text.empty()) text += ';';
    text += end - i > 1 ? fmt::format("{}-{}", classes[i], classes[end - 1]) : fmt::format("{}", classes[i]);
    i = end;
  }
  return text;
}

DataSpec DataSpec::parse(const std::string& text) {
  const auto parts = fields(text);
  DataSpec spec;
  spec.source = parts[0];
  if (spec.source.empty()) throw UsageError("data spec '" + text + "'", "must begin with a path or a name");
  std::set<std::string> seen;
  for (size_t i = 1; i < parts.size(); ++i) {
    const size_t equals = parts[i].find('=');
    if (equals == std::string::npos && seen.count("classes") &&
        parts[i].find_first_not_of("0123456789-;") == std::string::npos)
      throw UsageError("data spec '" + text + "'",
                       "classes are listed as 0-4, or with ; between them and quoted: 'classes=0;1'");
    if (equals == std::string::npos || equals == 0)
      throw UsageError("data spec '" + text + "'",
                       fmt::format("'{}' is no key=value; a comma in a path is written \\,", parts[i]));
    const std::string key = parts[i].substr(0, equals), value = parts[i].substr(equals + 1);
    if (!seen.insert(key).second) refuse(key, value, "given twice");
    set_key(spec, key, value);
  }
  if (spec.size && spec.crop && (spec.crop->first > spec.size->first || spec.crop->second > spec.size->second))
    refuse("crop", sides_text(*spec.crop), "larger than size=" + sides_text(*spec.size));
  std::sort(spec.generator.begin(), spec.generator.end());
  return spec;
}

std::string DataSpec::str() const {
  std::string text = escaped(source);
  auto add = [&](const char* key, const std::string& value) { text += fmt::format(",{}={}", key, value); };
  if (!classes.empty()) add("classes", format_classes(classes));
  const char* part = split == Split::kTest ? "test" : "train";
  if (fraction)
    add("split", fmt::format("{}:{}", part, *fraction));
  else if (split != Split::kAll)
    add("split", part);
  if (limit) add("limit", fmt::format("{}", *limit));
  if (size) add("size", square ? fmt::format("{}", size->first) : sides_text(*size));
  if (crop) add("crop", sides_text(*crop));
  if (pad) add("pad", fmt::format("{}", pad));
  if (rotate != 0) add("rotate", fmt::format("{}", rotate));
  if (permute) add("permute", fmt::format("{}", *permute));
  if (!normalize.empty()) add("normalize", normalize);
  if (!labels.empty()) add("labels", escaped(labels));
  if (!cache.empty()) add("cache", escaped(cache));
  if (!vectors.empty()) add("vectors", escaped(vectors));
  if (seed) add("seed", fmt::format("{}", seed));
  for (const auto& [key, value] : generator) add(key.c_str(), escaped(value));
  return text;
}

bool DataSpec::operator==(const DataSpec& o) const {
  return source == o.source && classes == o.classes && split == o.split && fraction == o.fraction && limit == o.limit &&
         size == o.size && square == o.square && crop == o.crop && pad == o.pad && permute == o.permute &&
         rotate == o.rotate && normalize == o.normalize && labels == o.labels && cache == o.cache &&
         vectors == o.vectors && seed == o.seed && generator == o.generator;
}

}  // namespace mas
