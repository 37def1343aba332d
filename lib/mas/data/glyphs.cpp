// Images made from a seed alone: a class is a fixed set of curved strokes, a sample one drawing of it. Row n is a pure
// function of (seed, part, n), and of IEEE arithmetic only, so that every machine draws the same bytes.
#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

#include "mas/data/drawing.h"
#include "mas/data/formats.h"
#include "mas/error.h"
#include "mas/random.h"
#include "mas/text.h"

#include "mas/data/strict_floats.h"

namespace mas {
namespace {

constexpr int kSide = 28;
constexpr int kStrokes = 3;
constexpr int kPieces = 6;  // straight pieces of a stroke
constexpr int64_t kDefaultSamples = 12000;
constexpr int64_t kTestShare = 6;          // the test part has a sixth as many
constexpr int64_t kMostSamples = 1 << 24;  // labels lie in memory
constexpr int64_t kDefaultKinds = 10;
constexpr double kDefaultDifficulty = 0.5;

struct Point {
  float x, y;
};
using Glyph = std::array<std::array<Point, 3>, kStrokes>;  // quadratic curves in -1..1

struct Options {
  float difficulty = kDefaultDifficulty;
  int64_t samples = kDefaultSamples, kinds = kDefaultKinds;
};

Glyph make_glyph(uint64_t seed, int64_t kind) {
  SplitMix64 random(SplitMix64::mix(seed + 0x676C797068u) + static_cast<uint64_t>(kind));
  Glyph glyph{};
  for (auto& stroke : glyph)
    for (auto& point : stroke) point = {spread(random, 1), spread(random, 1)};
  return glyph;
}

class Canvas {
 public:
  // A line with round ends, darkest value per pixel.
  void line(Point a, Point b, float thickness) {
    const float reach = thickness + 0.5f, dx = b.x - a.x, dy = b.y - a.y;
    const float squared = std::max(dx * dx + dy * dy, 1e-12f);
    const int x0 = low(std::min(a.x, b.x) - reach), x1 = high(std::max(a.x, b.x) + reach);
    const int y0 = low(std::min(a.y, b.y) - reach), y1 = high(std::max(a.y, b.y) + reach);
    for (int y = y0; y <= y1; ++y) {
      for (int x = x0; x <= x1; ++x) {
        const float px = static_cast<float>(x) - a.x, py = static_cast<float>(y) - a.y;
        const float t = std::clamp((px * dx + py * dy) / squared, 0.0f, 1.0f);
        const float ex = px - t * dx, ey = py - t * dy, away = ex * ex + ey * ey;
        if (away >= reach * reach) continue;
        float& pixel = pixels_[static_cast<size_t>(y * kSide + x)];
        pixel = std::max(pixel, std::min(1.0f, reach - std::sqrt(away)));
      }
    }
  }

  void stroke(const std::array<Point, 3>& p, float thickness) {
    Point from = p[0];
    for (int i = 1; i <= kPieces; ++i) {
      const float t = static_cast<float>(i) / kPieces, s = 1 - t;
      const float a = s * s, b = 2 * s * t, c = t * t;
      const Point to{a * p[0].x + b * p[1].x + c * p[2].x, a * p[0].y + b * p[1].y + c * p[2].y};
      line(from, to, thickness);
      from = to;
    }
  }

  void store(SplitMix64& random, float noise, uint8_t* out) const {
    store_noisy(pixels_.data(), pixels_.size(), random, noise, out);
  }

 private:
  static int low(float v) { return std::clamp(static_cast<int>(std::ceil(v)), 0, kSide); }
  static int high(float v) { return std::clamp(static_cast<int>(std::floor(v)), -1, kSide - 1); }

  std::array<float, kSide * kSide> pixels_{};
};

void draw(const Glyph& glyph, float difficulty, SplitMix64 random, uint8_t* out) {
  const float d = difficulty;
  const float half_turn = spread(random, 0.02f + 0.2f * d);  // tan of half the angle: no sin or cos needed
  const float cosine = (1 - half_turn * half_turn) / (1 + half_turn * half_turn);
  const float sine = 2 * half_turn / (1 + half_turn * half_turn);
  const float scale = (kSide / 2 - 5) * (1 + spread(random, 0.05f + 0.2f * d));
  const float shear = spread(random, 0.05f + 0.3f * d);
  const float shift_x = spread(random, 0.5f + 3 * d), shift_y = spread(random, 0.5f + 3 * d);
  const float thickness = 0.7f + 0.6f * random.uniform(), wobble = 0.05f + 0.3f * d;
  const auto place = [&](Point p) {
    const float x = p.x + shear * p.y;
    return Point{(kSide - 1) / 2.0f + shift_x + scale * (cosine * x - sine * p.y),
                 (kSide - 1) / 2.0f + shift_y + scale * (sine * x + cosine * p.y)};
  };
  Canvas canvas;
  for (auto stroke : glyph) {
    for (auto& point : stroke) {
      const float x = point.x + spread(random, wobble), y = point.y + spread(random, wobble);
      point = place({x, y});
    }
    canvas.stroke(stroke, thickness);
  }
  canvas.store(random, 0.5f * d, out);
}

bool parse_whole(const std::string& text, int64_t low, int64_t high, int64_t& value) {
  return parse_number(text, value) && value >= low && value <= high;
}

void set(Options& options, const std::string& key, const std::string& value) {
  if (key == "difficulty") {
    if (!parse_number(value, options.difficulty) || options.difficulty < 0 || options.difficulty > 1)
      throw UsageError(key + "=" + value, "must be a number from 0 to 1");
  } else if (key == "samples") {
    if (!parse_whole(value, kTestShare, kMostSamples, options.samples))
      throw UsageError(key + "=" + value,
                       fmt::format("must be a whole number from {} to {}", kTestShare, kMostSamples));
  } else if (!parse_whole(value, 2, 1000, options.kinds)) {
    throw UsageError(key + "=" + value, "must be a whole number from 2 to 1000");
  }
}

}  // namespace

void check_glyphs(const std::string& key, const std::string& value) {
  Options ignored;
  set(ignored, key, value);
}

Source open_glyphs(const DataSpec& spec) {
  Options options;
  for (const auto& [key, value] : spec.generator) set(options, key, value);
  const bool test = spec.split == Split::kTest && !spec.fraction;
  std::vector<Glyph> glyphs;
  for (int64_t kind = 0; kind < options.kinds; ++kind) glyphs.push_back(make_glyph(spec.seed, kind));
  const uint64_t stream = SplitMix64::mix(SplitMix64::mix(spec.seed + 1) + (test ? 2 : 1));
  Source source;
  source.rows = test ? options.samples / kTestShare : options.samples;
  source.shape = {1, kSide, kSide};
  source.read = [=](at::ArrayRef<int64_t> rows, void* out) {
    auto* image = static_cast<uint8_t*>(out);
    for (int64_t row : rows) {
      SplitMix64 random(SplitMix64::mix(stream + static_cast<uint64_t>(row)));
      draw(glyphs[static_cast<size_t>(row % options.kinds)], options.difficulty, random, image);
      image += kSide * kSide;
    }
  };
  source.has_labels = true;
  source.labels = [rows = source.rows, kinds = options.kinds] {
    std::vector<int32_t> labels(static_cast<size_t>(rows));
    for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int32_t>(i % static_cast<size_t>(kinds));
    return labels;
  };
  return source;
}

}  // namespace mas
