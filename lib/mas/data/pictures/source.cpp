#include "mas/data/pictures/source.h"

#include <ATen/Parallel.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <exception>
#include <filesystem>
#include <future>
#include <mutex>

#include <fmt/format.h>

#include "mas/data/pictures/cache.h"
#include "mas/data/pictures/decode.h"
#include "mas/data/transforms.h"
#include "mas/error.h"
#include "mas/fingerprint.h"
#include "mas/text.h"

namespace mas {
namespace {

using Sides = std::pair<int64_t, int64_t>;  // height, width

struct Failures {
  int64_t count = 0, first = 0;
  std::exception_ptr what;  // what the first of the rows that failed threw
};

// Calls work(i) for each, in a few threads: the same failures are found whichever comes first.
template <typename Work>
Failures for_each_in_threads(int64_t count, const Work& work) {
  Failures failures;
  std::mutex mutex;
  std::atomic<int64_t> next{0};
  const auto run = [&] {
    for (int64_t i; (i = next++) < count;) {
      try {
        work(i);
      } catch (...) {
        const std::lock_guard<std::mutex> lock(mutex);
        if (failures.count++ == 0 || i < failures.first) {
          failures.first = i;
          failures.what = std::current_exception();
        }
      }
    }
  };
  {
    std::vector<std::future<void>> helpers;  // which wait for their end as they go
    for (int64_t n = std::min<int64_t>(at::get_num_threads(), count); n > 1; --n)
      helpers.push_back(std::async(std::launch::async, run));
    run();
  }
  return failures;
}

class Pictures {
 public:
  Pictures(PictureList list, const DataSpec& fit) : list_(std::move(list)), fit_(fit) {
    if (fit_.size) fit_.crop.reset();  // what has one size is cropped later, training images at random places
    if (fit_.crop)
      sides_ = *fit_.crop;
    else
      sides_ = fit_.size ? *fit_.size : picture_sides(File(path(0)));
  }

  Sides sides() const { return sides_; }
  std::string path(int64_t row) const { return (std::filesystem::path(list_.folder) / list_.names[row]).string(); }

  void check(at::ArrayRef<int64_t> rows) const {
    const auto failures = for_each_in_threads(static_cast<int64_t>(rows.size()), [&](int64_t i) {
      const File file(path(rows[static_cast<size_t>(i)]));
      check_sides(picture_sides(file), file.name());
    });
    if (failures.count == 0) return;
    try {
      std::rethrow_exception(failures.what);
    } catch (const Error& error) {
      if (failures.count == 1) throw;
      throw Error(fmt::format("{} (the first of {} files that can't be used)", error.what(), failures.count));
    }
  }

  void read(at::ArrayRef<int64_t> rows, uint8_t* out) const {
    const int64_t bytes = 3 * sides_.first * sides_.second;
    const auto failures = for_each_in_threads(static_cast<int64_t>(rows.size()), [&](int64_t i) {
      const File file(path(rows[static_cast<size_t>(i)]));
      const Picture picture = decode_picture(file);
      check_sides({picture.height, picture.width}, file.name());
      fit(picture, out + i * bytes);
    });
    if (failures.count > 0) std::rethrow_exception(failures.what);
  }

  // What tells their files, and how they are fitted, from others, by a look at each's size and time.
  std::string identity() const {
    Fingerprint content;
    const auto add = [&](const auto& value) { content.add(&value, sizeof value); };
    for (int64_t value : {sides_.first, sides_.second, int64_t{fit_.size.has_value()}, int64_t{fit_.square},
                          int64_t{fit_.crop.has_value()}})
      add(value);
    for (int64_t row = 0; row < list_.names.size(); ++row) {
      const auto name = list_.names[row];
      struct stat status {};
      if (stat(path(row).c_str(), &status) != 0) throw Error(path(row), system_error_text(errno));
      content.add(name.data(), name.size());
      add(status.st_size);
      add(status.st_mtim.tv_sec);
      add(status.st_mtim.tv_nsec);
    }
    return content.text();
  }

  std::string stored(int64_t row) const {
    const File file(path(row));
    return file.text(0, file.size());
  }

  bool are_stored_in(const std::string& file) const {
    struct stat asked {
    }, own{};
    if (stat(file.c_str(), &asked) != 0) return false;
    for (int64_t row = 0; row < list_.names.size(); ++row)
      if (stat(path(row).c_str(), &own) == 0 && own.st_ino == asked.st_ino && own.st_dev == asked.st_dev) return true;
    return false;
  }

 private:
  // Where nothing makes them equal, that they are.
  void check_sides(const Sides& sides, const std::string& name) const {
    if (fit_.size) return;
    const auto& [height, width] = sides;
    if (fit_.crop && (height < sides_.first || width < sides_.second))
      throw Error(name, fmt::format("{} x {} pixels (height x width), less than crop={}x{}", height, width,
                                    sides_.first, sides_.second));
    if (!fit_.crop && sides != sides_)
      throw Error(name, fmt::format("{} x {} pixels (height x width), but {} has {} x {}; size=N or size=HxW makes "
                                    "them equal",
                                    height, width, path(0), sides_.first, sides_.second));
  }

  // Blocks of pixels become their mean where a picture is twice as large as it is wanted, or more; without that
  // resizing would leave pixels out.
  Picture shrunk(const Picture& picture) const {
    const Sides seen = fit_.square
                           ? Sides(std::min(picture.height, picture.width), std::min(picture.height, picture.width))
                           : Sides(picture.height, picture.width);
    const int64_t high = std::max<int64_t>(1, seen.first / fit_.size->first);
    const int64_t wide = std::max<int64_t>(1, seen.second / fit_.size->second), block = high * wide;
    if (block == 1) return picture;
    Picture result{picture.height / high, picture.width / wide, {}};
    result.rgb.reserve(static_cast<size_t>(3 * result.height * result.width));
    const int64_t top = picture.height % high / 2, left = picture.width % wide / 2;
    for (int64_t c = 0; c < 3; ++c)
      for (int64_t y = 0; y < result.height; ++y)
        for (int64_t x = 0; x < result.width; ++x) {
          const uint8_t* corner =
              picture.rgb.data() + (c * picture.height + top + y * high) * picture.width + left + x * wide;
          int64_t sum = block / 2;
          for (int64_t j = 0; j < high; ++j)
            for (int64_t i = 0; i < wide; ++i) sum += corner[j * picture.width + i];
          result.rgb.push_back(static_cast<uint8_t>(sum / block));
        }
    return result;
  }

  void fit(const Picture& picture, uint8_t* out) const {
    if (Sides(picture.height, picture.width) == sides_ && !fit_.size) {
      std::copy(picture.rgb.begin(), picture.rgb.end(), out);
      return;
    }
    const Picture from = fit_.size ? shrunk(picture) : picture;
    const Transforms transforms(fit_, {3, from.height, from.width}, at::kByte);
    const at::Tensor values = transforms.apply(from.rgb.data(), 1);
    const float* value = values.data_ptr<float>();
    for (int64_t i = 0; i < values.numel(); ++i) out[i] = static_cast<uint8_t>(value[i] * 255 + 0.5f);
  }

  PictureList list_;
  DataSpec fit_;
  Sides sides_;
};

}  // namespace

void add_listed(PictureList& list, const std::string& name, const std::string& file, int64_t line) {
  const std::string path = (std::filesystem::path(list.folder) / name).string();
  const bool is_path = path.find('\0') == std::string::npos;
  if (!is_path || access(path.c_str(), R_OK) != 0)
    throw Error(
        file, fmt::format("line {}: {}: {}", line, printable(path, 512), system_error_text(is_path ? errno : ENOENT)));
  list.names.add(name);
}

Source open_pictures(PictureList list, const SourceRequest& request) {
  Source source;
  source.rows = list.names.size();
  source.has_labels = !list.labels.empty();
  source.labels = [labels = std::make_shared<std::vector<int32_t>>(std::move(list.labels))] { return *labels; };
  source.class_names = std::move(list.class_names);
  const auto pictures = std::make_shared<const Pictures>(std::move(list), request.fit);
  source.shape = {3, pictures->sides().first, pictures->sides().second};
  source.fitted = true;
  source.check = [pictures](at::ArrayRef<int64_t> rows) { pictures->check(rows); };
  source.read = [pictures](at::ArrayRef<int64_t> rows, void* out) { pictures->read(rows, static_cast<uint8_t*>(out)); };
  source.stored = [pictures](int64_t row) { return pictures->stored(row); };
  source.is_stored_in = [pictures](const std::string& file) { return pictures->are_stored_in(file); };
  if (!request.cache.empty()) return cached(std::move(source), pictures->identity(), request.cache, request.make_cache);
  return source;
}

}  // namespace mas
