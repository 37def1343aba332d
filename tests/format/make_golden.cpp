#include <cstdio>

#include "golden_model.h"
#include "mas/error.h"

/// Writes the golden model to the file given. Run it for a new minor version only: files once written stay readable.
int main(int argc, char** argv) {
  if (argc != 2) return 2;
  try {
    mas::write_model(mas::test::golden_model(), argv[1]);
  } catch (const mas::Error& error) {
    std::fprintf(stderr, "make_golden: %s\n", error.what());
    return 1;
  }
}
