#include "mas/fingerprint.h"

#include <fmt/format.h>

#define XXH_STATIC_LINKING_ONLY  // for the state's size
#ifdef MAS_XXHASH_DISPATCH
#include <xxh_x86dispatch.h>  // the same functions, in the widest vectors that the processor has
#else
#include <xxhash.h>
#endif

namespace mas {

struct Fingerprint::State {
  XXH3_state_t xxh3;
};

Fingerprint::Fingerprint() : state_(std::make_unique<State>()) { XXH3_128bits_reset(&state_->xxh3); }
Fingerprint::~Fingerprint() = default;

void Fingerprint::add(const void* bytes, size_t count) { XXH3_128bits_update(&state_->xxh3, bytes, count); }

std::string Fingerprint::text() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(&state_->xxh3);
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

}  // namespace mas
