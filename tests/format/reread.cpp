#include <cstdio>

#include "mas/error.h"
#include "mas/io/model_file.h"

/// Reads a model and writes it again.
int main(int argc, char** argv) {
  if (argc != 3) return 2;
  try {
    mas::write_model(mas::read_model(argv[1]), argv[2]);
  } catch (const mas::Error& error) {
    std::fprintf(stderr, "reread: %s\n", error.what());
    return 1;
  }
}
