// Opens a core library and makes models of it, for Rust.
#pragma once

#include <cstdint>
#include <memory>

#include "rebound_abi.h"
#include "rust/cxx.h"

namespace rebound {

struct ViolationRecord;

// Throws std::runtime_error with a sentence if the library is broken, foreign or of another abi.
std::unique_ptr<Model> load_model(rust::Str path, std::uint64_t seed);

enum class PinKind : std::uint8_t;
std::uint8_t* pin_base(Model& model, PinKind kind);
std::size_t pin_count(Model& model, PinKind kind);

bool open_trace(Model& model, rust::Str path, std::uint64_t from, std::uint64_t to);
std::uint32_t stop_kind(const Model& model);
rust::String stop_text(const Model& model);
rust::Vec<ViolationRecord> take_violations(Model& model);
rust::Vec<rust::String> take_messages(Model& model);

}  // namespace rebound
