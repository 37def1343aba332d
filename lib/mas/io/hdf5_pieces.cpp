#include "mas/io/hdf5_pieces.h"

#include <H5FDpublic.h>
#if __has_include(<H5FDdevelop.h>)  // where HDF5 1.14 keeps the drivers' interface
#include <H5FDdevelop.h>
#endif

#include <algorithm>
#include <cstring>
#include <exception>
#include <iterator>
#include <map>
#include <new>
#include <string>

#include "mas/error.h"

namespace mas::hdf5 {

class PieceFile::Store {
 public:
  void lend(const void* bytes, size_t count) { lent_ = {static_cast<const char*>(bytes), count}; }

  void write(haddr_t at, const char* from, size_t count) {
    const auto next = large_.lower_bound(at + count);
    if (next != large_.begin() && std::prev(next)->first + std::prev(next)->second.size() > at) {
      throw Error("memory", "what is lent to an HDF5 file can't be changed");
    }
    const bool lent = !lent_.empty() && from >= lent_.data() && from + count <= lent_.data() + lent_.size();
    if (lent) {
      large_[at] = {from, count};
    } else {
      for_pages(at, count, [&](std::string& page, size_t offset, size_t n, size_t done) {
        std::memcpy(&page[offset], from + done, n);
      });
    }
  }

  void read(haddr_t at, char* to, size_t count) {
    for_pages(at, count, [&](const std::string& page, size_t offset, size_t n, size_t done) {
      std::memcpy(to + done, &page[offset], n);
    });
    for (const auto& [begin, bytes] : large_) {
      const haddr_t from = std::max(begin, at), end = std::min(begin + bytes.size(), at + count);
      if (from < end) std::memcpy(to + (from - at), bytes.data() + (from - begin), end - from);
    }
  }

  std::vector<std::string_view> pieces() {
    std::vector<std::string_view> found;
    haddr_t at = 0;
    const auto add_pages = [&](haddr_t end) {
      for_pages(at, end - at, [&](const std::string& page, size_t offset, size_t n, size_t) {
        found.push_back(std::string_view(page).substr(offset, n));
      });
    };
    for (const auto& [begin, bytes] : large_) {
      add_pages(begin);
      found.push_back(bytes);
      at = begin + bytes.size();
    }
    add_pages(end_);
    return found;
  }

  haddr_t end() const { return end_; }
  void set_end(haddr_t end) { end_ = end; }

 private:
  // What was never written is zeros.
  template <typename Work>
  void for_pages(haddr_t at, size_t count, const Work& work) {
    constexpr size_t kPage = size_t{64} << 10;
    for (size_t done = 0, n = 0; done < count; done += n) {
      const size_t offset = (at + done) % kPage;
      n = std::min(count - done, kPage - offset);
      std::string& page = pages_[at + done - offset];
      page.resize(kPage);
      work(page, offset, n, done);
    }
  }

  std::map<haddr_t, std::string> pages_;
  std::map<haddr_t, std::string_view> large_;
  std::string_view lent_;
  haddr_t end_ = 0;
};

namespace {

using Store = PieceFile::Store;

// HDF5's view of an open file: its own part first.
struct Open {
  H5FD_t own;
  Store* store;
};

Store& store_of(const H5FD_t* file) { return *reinterpret_cast<const Open*>(file)->store; }

// No exception may pass through HDF5.
template <typename Work>
herr_t attempt(const Work& work) {
  try {
    work();
    return 0;
  } catch (const std::exception&) {
    return -1;
  }
}

H5FD_t* open(const char*, unsigned, hid_t access, haddr_t) {
  auto* file = new (std::nothrow) Open{};
  if (!file) return nullptr;
  file->store = *static_cast<Store* const*>(H5Pget_driver_info(access));
  return &file->own;
}

herr_t close(H5FD_t* file) {
  delete reinterpret_cast<Open*>(file);
  return 0;
}

// As HDF5's driver for files in memory, so that the layout is the same.
herr_t query(const H5FD_t*, unsigned long* flags) {
  *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
           H5FD_FEAT_AGGREGATE_SMALLDATA;
  return 0;
}

haddr_t get_end(const H5FD_t* file, H5FD_mem_t) { return store_of(file).end(); }

herr_t set_end(H5FD_t* file, H5FD_mem_t, haddr_t end) {
  store_of(file).set_end(end);
  return 0;
}

herr_t read(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t at, size_t count, void* to) {
  return attempt([&] { store_of(file).read(at, static_cast<char*>(to), count); });
}

herr_t write(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t at, size_t count, const void* from) {
  return attempt([&] { store_of(file).write(at, static_cast<const char*>(from), count); });
}

hid_t driver() {
  static const hid_t id = [] {
    constexpr H5FD_mem_t kMap[H5FD_MEM_NTYPES] = H5FD_FLMAP_DICHOTOMY;
    H5FD_class_t driver{};
#ifdef H5FD_CLASS_VERSION
    driver.version = H5FD_CLASS_VERSION;
    driver.value = H5_VFD_RESERVED + 1711;
#endif
    driver.name = "mas pieces";
    driver.maxaddr = HADDR_MAX;
    driver.fc_degree = H5F_CLOSE_STRONG;
    driver.fapl_size = sizeof(Store*);
    driver.open = open;
    driver.close = close;
    driver.query = query;
    driver.get_eoa = get_end;
    driver.set_eoa = set_end;
    driver.get_eof = get_end;
    driver.read = read;
    driver.write = write;
    std::copy(std::begin(kMap), std::end(kMap), driver.fl_map);
    return H5FDregister(&driver);
  }();
  return id;
}

}  // namespace

PieceFile::PieceFile(hid_t creation) : store_(std::make_unique<Store>()) {
  prepare();
  const Handle access = access_list();
  const Store* store = store_.get();
  check(H5Pset_driver(access, driver(), &store), "memory", "no room for an HDF5 file");
  check(H5Pset_alignment(access, kAlignedFrom, kAlignment), "memory", "no room for an HDF5 file");
  file_ = checked(H5Fcreate("pieces", H5F_ACC_TRUNC, creation, access), "memory", "no room for an HDF5 file");
}

PieceFile::~PieceFile() = default;

void PieceFile::lend(const void* bytes, size_t count) { store_->lend(bytes, count); }

void PieceFile::close() {
  lend(nullptr, 0);
  check(H5Fflush(file_, H5F_SCOPE_GLOBAL), "memory", "an HDF5 file isn't complete");
  file_ = Handle();
}

void PieceFile::overwrite_start(std::string_view bytes) { store_->write(0, bytes.data(), bytes.size()); }

std::vector<std::string_view> PieceFile::pieces() const { return store_->pieces(); }

}  // namespace mas::hdf5
