// Opens a core library and makes models of it, for Rust.

#include "loader.h"

#include <dlfcn.h>

#include <cstring>
#include <stdexcept>
#include <string>

#include "rebound-sim/src/ffi.rs.h"
#include "rebound_layout.h"

namespace rebound {

namespace {

// Closes a library that turned out not to serve. One that serves stays open: models may outlive any owner
// we could name, and unloading Verilated code gains nothing.
class Opened {
  public:
    explicit Opened(const std::string& path) : m_handle{dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL)} {
        if (!m_handle) throw std::runtime_error{std::string{"expected a shared library, got "} + dlerror()};
    }
    Opened(const Opened&) = delete;
    Opened& operator=(const Opened&) = delete;
    ~Opened() {
        if (m_handle) dlclose(m_handle);
    }
    void* symbol(const char* name) const { return dlsym(m_handle, name); }
    void keep() { m_handle = nullptr; }

  private:
    void* m_handle;
};

}  // namespace

std::unique_ptr<Model> load_model(rust::Str path, std::uint64_t seed) {
    Opened library{std::string{path}};
    const auto* const info = static_cast<const LibraryInfo*>(library.symbol("rebound_library"));
    if (!info) throw std::runtime_error{"expected a core library, got one without rebound_library"};
    if (std::memcmp(info->magic, kMagic, sizeof kMagic) != 0) {
        throw std::runtime_error{"expected a core library, got one with a foreign rebound_library"};
    }
    if (info->abi != kAbi || info->pin_bytes != kPinBytes) {
        throw std::runtime_error{"expected a core library of abi " + std::to_string(kAbi) + " with "
                                 + std::to_string(kPinBytes) + " pin bytes, got abi "
                                 + std::to_string(info->abi) + " with " + std::to_string(info->pin_bytes)};
    }
    char error[1024] = "no reason given";
    std::unique_ptr<Model> model{info->create(seed, error, sizeof error)};
    if (!model) throw std::runtime_error{std::string{"expected a model, got "} + error};
    library.keep();
    return model;
}

std::uint8_t* pin_base(Model& model, PinKind kind) {
    const PinBlock pins = model.pins();
    switch (kind) {
        case PinKind::Manager: return reinterpret_cast<std::uint8_t*>(pins.managers);
        case PinKind::Lite: return reinterpret_cast<std::uint8_t*>(pins.lites);
        case PinKind::Register: return reinterpret_cast<std::uint8_t*>(pins.registers);
        case PinKind::StreamOut: return reinterpret_cast<std::uint8_t*>(pins.streams_out);
        case PinKind::StreamIn: return reinterpret_cast<std::uint8_t*>(pins.streams_in);
        case PinKind::WireOut: return reinterpret_cast<std::uint8_t*>(pins.wires_out);
        case PinKind::WireIn: return reinterpret_cast<std::uint8_t*>(pins.wires_in);
        default: return reinterpret_cast<std::uint8_t*>(pins.host_view);
    }
}

std::size_t pin_count(Model& model, PinKind kind) {
    const PinBlock pins = model.pins();
    switch (kind) {
        case PinKind::Manager: return pins.manager_count;
        case PinKind::Lite: return pins.lite_count;
        case PinKind::Register: return pins.register_count;
        case PinKind::StreamOut: return pins.stream_out_count;
        case PinKind::StreamIn: return pins.stream_in_count;
        case PinKind::WireOut: return pins.wire_out_count;
        case PinKind::WireIn: return pins.wire_in_count;
        default: return 1;
    }
}

bool open_trace(Model& model, rust::Str path, std::uint64_t from, std::uint64_t to) {
    return model.open_trace(std::string{path}.c_str(), from, to);
}

std::uint32_t stop_kind(const Model& model) { return static_cast<std::uint32_t>(model.stop_kind()); }

rust::String stop_text(const Model& model) { return rust::String::lossy(model.stop_text()); }

rust::Vec<ViolationRecord> take_violations(Model& model) {
    rust::Vec<ViolationRecord> records;
    const std::size_t count = model.violation_count();
    records.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        const Violation each = model.violation(i);
        records.push_back(ViolationRecord{each.port, rust::String::lossy(each.rule),
                                          rust::String::lossy(each.section), rust::String::lossy(each.text),
                                          each.expected, each.found, each.cycle});
    }
    model.clear_violations();
    return records;
}

rust::Vec<rust::String> take_messages(Model& model) {
    rust::Vec<rust::String> lines;
    const std::size_t count = model.message_count();
    lines.reserve(count);
    for (std::size_t i = 0; i < count; ++i) lines.push_back(rust::String::lossy(model.message(i)));
    model.clear_messages();
    return lines;
}

}  // namespace rebound
