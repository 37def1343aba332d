#pragma once
#include <exception>
#include <memory>
#include <new>
#include <string>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/api/module.h>

#include "mas/error.h"

namespace mas {

/// A TorchScript module from the bytes that torch.jit.save wrote, on the CPU. A child process loads them first, since
/// LibTorch crashes on some damaged ones; no tensor reaches beyond the bytes that were read. Throws Error naming
/// `name`, with what to do in Python, for anything that isn't a module with a forward from one tensor to a tensor, or
/// to tuples, lists and dictionaries of some.
torch::jit::Module load_script(const std::string& bytes, const std::string& name);

/// What an exception of LibTorch's says in one line: the last one of a TorchScript traceback, without the kind of
/// error.
std::string one_line(const std::exception& error);

/// The result of `work`. What LibTorch throws becomes an Error of one line about `subject`, or std::bad_alloc.
template <typename Work>
auto in_one_line(const std::string& subject, const Work& work) {
  try {
    return work();
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& error) {
    const std::string cause = one_line(error);
    if (cause.find("allocate memory") != std::string::npos) throw std::bad_alloc();
    throw Error(subject, cause);
  }
}

/// forward up to what the submodule `layer` ("layer4.1") returns, as a function of the module and the sample; where
/// forward calls it more than once, in the last call. Throws Error naming `name` and the layers that there are.
std::unique_ptr<torch::jit::GraphFunction> forward_to_layer(const torch::jit::Module& module, const std::string& layer,
                                                            const std::string& name);

}  // namespace mas
