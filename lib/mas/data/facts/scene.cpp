// Scenes of few shapes: a thing's kind is its shape, which one of them it is its colour, and what it does how it stands
// and where the other thing is. Of IEEE arithmetic only, like glyphs.cpp.
#include "mas/data/facts/scene.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "mas/data/drawing.h"
#include "mas/data/strict_floats.h"

namespace mas::facts {
namespace {

struct Point {
  float x = 0, y = 0;
};
using Colour = std::array<float, 3>;

// By variant: of subjects and of objects.
constexpr std::array<Colour, 4> kSubjectColours{
    {{0.9f, 0.2f, 0.2f}, {0.2f, 0.4f, 0.9f}, {0.2f, 0.75f, 0.3f}, {0.9f, 0.8f, 0.2f}}};
constexpr std::array<Colour, 4> kObjectColours{
    {{0.95f, 0.5f, 0.1f}, {0.2f, 0.8f, 0.8f}, {0.75f, 0.3f, 0.8f}, {0.95f, 0.95f, 0.95f}}};

// Where a thing's own coordinates, 1 from its middle to its ends, lie in the picture.
struct Pose {
  Point middle;
  float scale = 1;
  float cosine = 1, sine = 0;

  Point place(Point p) const {
    return {middle.x + scale * (cosine * p.x - sine * p.y), middle.y + scale * (sine * p.x + cosine * p.y)};
  }
};

class Canvas {
 public:
  Canvas(SplitMix64& random, float difficulty) {
    const float grey = 0.25f + spread(random, 0.1f * difficulty);
    const float along = spread(random, 0.15f * difficulty), down = spread(random, 0.15f * difficulty);
    Colour tint{};
    for (float& channel : tint) channel = spread(random, 0.1f * difficulty);
    for (int y = 0; y < kSide; ++y)
      for (int x = 0; x < kSide; ++x)
        for (int c = 0; c < 3; ++c)
          pixel(c, x, y) = grey + tint[static_cast<size_t>(c)] + along * (static_cast<float>(x) / kSide - 0.5f) +
                           down * (static_cast<float>(y) / kSide - 0.5f);
  }

  // A line with round ends; a dot where they are one.
  void line(const Pose& pose, Point from, Point to, float thickness, const Colour& colour) {
    const Point a = pose.place(from), b = pose.place(to);
    const float reach = thickness * pose.scale + 0.5f, dx = b.x - a.x, dy = b.y - a.y;
    const float squared = std::max(dx * dx + dy * dy, 1e-12f);
    for (int y = low(std::min(a.y, b.y) - reach); y <= high(std::max(a.y, b.y) + reach); ++y) {
      for (int x = low(std::min(a.x, b.x) - reach); x <= high(std::max(a.x, b.x) + reach); ++x) {
        const float px = static_cast<float>(x) - a.x, py = static_cast<float>(y) - a.y;
        const float t = std::clamp((px * dx + py * dy) / squared, 0.0f, 1.0f);
        const float ex = px - t * dx, ey = py - t * dy;
        blend(x, y, std::clamp(reach - std::sqrt(ex * ex + ey * ey), 0.0f, 1.0f), colour);
      }
    }
  }

  void store(SplitMix64& random, float noise, uint8_t* out) const {
    store_noisy(values_.data(), values_.size(), random, noise, out);
  }

 private:
  static int low(float v) { return std::clamp(static_cast<int>(std::ceil(v)), 0, kSide); }
  static int high(float v) { return std::clamp(static_cast<int>(std::floor(v)), -1, kSide - 1); }
  float& pixel(int c, int x, int y) { return values_[static_cast<size_t>((c * kSide + y) * kSide + x)]; }

  void blend(int x, int y, float share, const Colour& colour) {
    for (int c = 0; c < 3; ++c) {
      float& value = pixel(c, x, y);
      value += share * (colour[static_cast<size_t>(c)] - value);
    }
  }

  std::array<float, kSceneBytes> values_{};
};

void draw_subject(Canvas& canvas, const Word& word, const Pose& pose) {
  const Colour& colour = kSubjectColours[static_cast<size_t>(word.variant)];
  const std::string kind = word.kind;
  if (kind == "people") {
    canvas.line(pose, {0, -0.65f}, {0, -0.65f}, 0.35f, colour);
    canvas.line(pose, {0, -0.2f}, {0, 0.3f}, 0.25f, colour);
    canvas.line(pose, {0, 0.3f}, {-0.35f, 1}, 0.12f, colour);
    canvas.line(pose, {0, 0.3f}, {0.35f, 1}, 0.12f, colour);
  } else if (kind == "animals") {
    canvas.line(pose, {-0.6f, 0}, {0.5f, 0}, 0.35f, colour);
    canvas.line(pose, {0.75f, -0.5f}, {0.9f, -0.45f}, 0.25f, colour);
    for (const float x : {-0.7f, -0.4f, 0.3f, 0.6f}) canvas.line(pose, {x, 0.2f}, {x, 1}, 0.1f, colour);
  } else {
    for (const float y : {-0.2f, 0.1f, 0.4f}) canvas.line(pose, {-0.8f, y}, {0.8f, y}, 0.2f, colour);
    for (const float y : {-0.6f, -0.45f}) canvas.line(pose, {-0.35f, y}, {0.35f, y}, 0.15f, colour);
    for (const float x : {-0.55f, 0.55f}) canvas.line(pose, {x, 0.8f}, {x, 0.8f}, 0.25f, {0.05f, 0.05f, 0.05f});
  }
}

void draw_object(Canvas& canvas, const Word& word, const Pose& pose) {
  const Colour& colour = kObjectColours[static_cast<size_t>(word.variant)];
  const std::string kind = word.kind;
  if (kind == "sport") {
    canvas.line(pose, {0, 0}, {0, 0}, 0.9f, colour);
    canvas.line(pose, {0, 0}, {0, 0}, 0.35f, {0.05f, 0.05f, 0.05f});
  } else if (kind == "furniture") {
    canvas.line(pose, {-0.8f, -0.3f}, {0.8f, -0.3f}, 0.25f, colour);
    for (const float x : {-0.7f, 0.7f}) canvas.line(pose, {x, -0.3f}, {x, 0.9f}, 0.15f, colour);
  } else {
    for (int i = 0; i < 6; ++i) {
      const float y = -0.8f + 0.3f * static_cast<float>(i), half = 0.15f * static_cast<float>(i + 1);
      canvas.line(pose, {-half, y}, {half, y}, 0.18f, colour);
    }
  }
}

// Streaks behind something that moves to the right.
void draw_streaks(Canvas& canvas, const Pose& pose) {
  for (const float y : {-0.5f, 0.0f, 0.5f}) canvas.line(pose, {-1.9f, y}, {-1.3f, y}, 0.08f, {0.9f, 0.9f, 0.9f});
}

// Where the object of a predicate is, from the subject's middle, in its size.
Point place_of_object(const std::string& predicate) {
  if (predicate == "watching") return {1.7f, -1.1f};
  if (predicate == "chasing") return {1.9f, 0.5f};
  if (predicate == "kicking") return {1.4f, 0.9f};
  if (predicate == "riding") return {0, 1.3f};
  if (predicate == "holding") return {0.9f, 0};
  return {0, -1.4f};  // carrying
}

}  // namespace

void draw_scene(const Fact& fact, float difficulty, SplitMix64 random, uint8_t* out) {
  const float d = difficulty;
  Canvas canvas(random, d);
  const std::string predicate = fact.predicate < 0 ? "" : predicates()[static_cast<size_t>(fact.predicate)].text;
  Pose subject, object;
  subject.scale = (fact.object < 0 ? 8 : 6) * (1 + spread(random, 0.3f * d));
  const Point towards = fact.object < 0 ? Point{} : place_of_object(predicate);
  const float half = (kSide - 1) / 2.0f, shift = (fact.object < 0 ? 5 : 3) * d;
  subject.middle = {half - towards.x * subject.scale / 2 + spread(random, shift),
                    half - towards.y * subject.scale / 2 + spread(random, shift)};
  const float half_turn = spread(random, 0.1f * d);  // tan of half the angle
  const float norm = 1 + half_turn * half_turn;
  subject.cosine = (1 - half_turn * half_turn) / norm;
  subject.sine = 2 * half_turn / norm;
  object = subject;
  object.middle = subject.place(towards);
  object.scale = 0.55f * subject.scale * (1 + spread(random, 0.2f * d));
  if (predicate == "standing") {
    canvas.line(subject, {-1.2f, 1.15f}, {1.2f, 1.15f}, 0.06f, {0.7f, 0.7f, 0.7f});
  } else if (predicate == "jumping") {
    subject.middle.y -= 0.35f * subject.scale;
    canvas.line(subject, {-0.8f, 1.9f}, {0.8f, 1.9f}, 0.15f, {0.05f, 0.05f, 0.05f});
  } else if (predicate == "lying") {
    std::swap(subject.cosine, subject.sine);
    subject.cosine = -subject.cosine;
  } else if (predicate == "running" || predicate == "chasing") {
    draw_streaks(canvas, subject);
  } else if (predicate == "kicking") {
    canvas.line(subject, {0.2f, 0.4f}, {0.9f, 0.8f}, 0.15f, {0.9f, 0.9f, 0.9f});
  } else if (predicate == "watching") {
    canvas.line(subject, {0.5f, -0.7f}, {1.1f, -0.9f}, 0.06f, {0.9f, 0.9f, 0.9f});
  }
  draw_subject(canvas, subjects()[static_cast<size_t>(fact.subject)], subject);
  if (fact.object >= 0) draw_object(canvas, objects()[static_cast<size_t>(fact.object)], object);
  canvas.store(random, 0.25f * d, out);
}

}  // namespace mas::facts
