#pragma once
// LibTorch and doctest both define CHECK; doctest's is the one meant in tests.
#include <torch/torch.h>
#undef CHECK
#include <doctest/doctest.h>
