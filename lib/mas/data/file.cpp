#include "mas/data/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include <fmt/format.h>

#include "mas/data/idx.h"
#include "mas/error.h"
#include "mas/io/write.h"
#include "mas/text.h"

namespace mas {
namespace {

constexpr int64_t kChunk = 1 << 18;
constexpr int64_t kMostExpansion = 200;  // of text and CIFAR records; IDX has a header that says it exactly

class Inflater {
 public:
  explicit Inflater(const File& file) : file_(file), input_(kChunk) {
    if (inflateInit2(&stream_, 15 + 16) != Z_OK) throw Error(file.name(), "no memory to unpack it");
  }
  ~Inflater() { inflateEnd(&stream_); }

  // Up to `count` bytes; fewer only at the end of the last member.
  int64_t read(char* out, int64_t count) {
    int64_t done = 0;
    while (done < count && !finished_) {
      if (stream_.avail_in == 0 && !refill())
        throw Error(file_.name(),
                    fmt::format("the gzip stream ends early, after {} bytes unpacked: a download that broke "
                                "off? fetch it again",
                                total_ + done));
      stream_.next_out = reinterpret_cast<Bytef*>(out + done);
      stream_.avail_out = static_cast<uInt>(count - done);
      const int status = inflate(&stream_, Z_NO_FLUSH);
      done = count - stream_.avail_out;
      if (status == Z_STREAM_END)
        next_member();
      else if (status != Z_OK && status != Z_BUF_ERROR)
        throw Error(file_.name(), damage());
    }
    total_ += done;
    return done;
  }

 private:
  bool refill() {
    const int64_t count = std::min<int64_t>(kChunk, file_.size() - offset_);
    if (count == 0) return false;
    file_.read(offset_, count, input_.data());
    offset_ += count;
    stream_.next_in = input_.data();
    stream_.avail_in = static_cast<uInt>(count);
    return true;
  }

  std::string damage() const {
    const std::string message = stream_.msg ? stream_.msg : "";
    if (message == "incorrect data check") return "gzip checksum is wrong: the file is damaged, fetch it again";
    if (message == "incorrect length check") return "gzip length is wrong: the file is damaged, fetch it again";
    return "damaged gzip stream" + (message.empty() ? "" : " (" + message + ")");
  }

  void next_member() {
    bool zeros = false;
    while (stream_.avail_in > 0 || refill()) {
      if (*stream_.next_in == 0) {  // padding by a tape or disk tool
        zeros = true;
        ++stream_.next_in;
        --stream_.avail_in;
        continue;
      }
      if (zeros || *stream_.next_in != 0x1f) throw Error(file_.name(), "bytes after the end of the gzip stream");
      inflateReset(&stream_);
      return;
    }
    finished_ = true;
  }

  const File& file_;
  std::vector<Bytef> input_;
  z_stream stream_{};
  int64_t offset_ = 0, total_ = 0;
  bool finished_ = false;
};

std::shared_ptr<File> unpack(const File& file, const std::string& scratch) {
  Inflater inflater(file);
  std::vector<char> chunk(kChunk);
  int64_t count = inflater.read(chunk.data(), kChunk);
  const auto expected = idx_length(chunk.data(), count);
  // Deflate can't expand more than 1032 times, so a header that claims more needs no unpacking to be known as wrong.
  if (expected && *expected / 1032 > file.size())
    throw Error(file.name(),
                fmt::format("too short: its idx header calls for {} bytes, more than {} packed bytes can hold",
                            *expected, file.size()));
  const int64_t most = expected ? *expected : (file.size() + kChunk) * kMostExpansion;
  Spool spool(scratch, file.name());
  if (expected && *expected > spool.room())
    throw Error(file.name(), fmt::format("unpacks to {} bytes, and {} has no room for them; name another folder with "
                                         "TMPDIR",
                                         *expected, scratch));
  while (count > 0) {
    if (spool.size() + count > most)
      throw Error(file.name(), expected
                                   ? fmt::format("unpacks to more than the {} bytes its idx header calls for", most)
                                   : fmt::format("unpacks to over {} times its size; unpack it with gunzip if that "
                                                 "is meant",
                                                 kMostExpansion));
    spool.write(chunk.data(), count);
    count = inflater.read(chunk.data(), kChunk);
  }
  return spool.finish();
}

void refuse_impostors(const File& file) {
  if (file.size() == 0) throw Error(file.name(), "empty file");
  const std::string head = file.text(0, 256);
  if (head.rfind("version https://git-lfs", 0) == 0)
    throw Error(file.name(),
                "not gzip and not idx: a Git LFS pointer in place of the data; fetch it with git lfs pull");
  const size_t first = head.find_first_not_of(" \t\r\n");
  const std::string start = in_small_letters(first == std::string::npos ? "" : head.substr(first, 9));
  if (start == "<!doctype" || start.rfind("<html", 0) == 0 || start.rfind("<?xml", 0) == 0)
    throw Error(file.name(), "not gzip and not idx: a web page in place of the data; fetch it again");
}

}  // namespace

File::File(const std::string& path)
    : descriptor_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)), name_(path) {
  if (descriptor_ < 0) throw Error(path, system_error_text(errno));
  struct stat status {};
  if (fstat(descriptor_, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor_);
    throw Error(path, S_ISDIR(status.st_mode) ? "is a folder, not a file"
                                              : "not a regular file, and data are read at any "
                                                "offset: save it to a file first");
  }
  size_ = status.st_size;
}

File::~File() { ::close(descriptor_); }

void File::read(int64_t offset, int64_t count, void* out) const {
  char* target = static_cast<char*>(out);
  while (count > 0) {
    const ssize_t got = pread(descriptor_, target, static_cast<size_t>(count), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Error(name_, system_error_text(errno));
    if (got == 0) throw Error(name_, "became shorter while it was read");
    target += got;
    offset += got;
    count -= got;
  }
}

std::string File::own_path() const { return "/proc/self/fd/" + std::to_string(descriptor_); }

std::string File::text(int64_t offset, int64_t count) const {
  std::string bytes(static_cast<size_t>(std::max<int64_t>(0, std::min(count, size_ - offset))), '\0');
  read(offset, static_cast<int64_t>(bytes.size()), bytes.data());
  return bytes;
}

Spool::Spool(const std::string& folder, std::string name) : folder_(folder), name_(std::move(name)) {
  descriptor_ = ::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (descriptor_ < 0) {  // not every file system has O_TMPFILE
    std::string path = folder + "/mas-XXXXXX";
    descriptor_ = mkostemp(path.data(), O_CLOEXEC);
    if (descriptor_ < 0)
      throw Error(folder, "can't keep data there: " + system_error_text(errno) + "; name another folder with TMPDIR");
    unlink(path.c_str());
  }
}

Spool::~Spool() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

int64_t Spool::room() const {
  struct statvfs status {};
  if (fstatvfs(descriptor_, &status) != 0) return INT64_MAX;
  return static_cast<int64_t>(status.f_bavail) * static_cast<int64_t>(status.f_frsize);
}

void Spool::fail(int code) const {
  throw Error(
      name_, fmt::format("can't be kept in {}: {}; name another folder with TMPDIR", folder_, system_error_text(code)));
}

void Spool::reserve(int64_t bytes) {
  if (const int code = mas::reserve(descriptor_, bytes)) fail(code);
}

void Spool::write(const void* bytes, int64_t count) {
  size_ += count;
  buffer_.append(static_cast<const char*>(bytes), static_cast<size_t>(count));
  if (static_cast<int64_t>(buffer_.size()) >= kChunk) flush();
}

void Spool::flush() {
  if (const int code = write_all(descriptor_, buffer_.data(), buffer_.size())) fail(code);
  buffer_.clear();
}

std::shared_ptr<File> Spool::finish() {
  flush();
  auto file = std::make_shared<File>(descriptor_, name_, size_);
  descriptor_ = -1;
  return file;
}

std::shared_ptr<File> open_unpacked(const std::string& path, const std::string& scratch) {
  auto file = std::make_shared<File>(path);
  refuse_impostors(*file);
  if (file->text(0, 2) != "\x1f\x8b") return file;
  file = unpack(*file, scratch);
  refuse_impostors(*file);
  return file;
}

}  // namespace mas
