// What a compiled core and Rebound agree on: the pin block, and the calls of a model.
//
// Twin of pins.rs; a build compares size and offset of every field (rebound_layout.h). Strings that cross
// the border belong to the model and live until the matching clear call.
#ifndef REBOUND_ABI_H
#define REBOUND_ABI_H

#include <cstddef>
#include <cstdint>

namespace rebound {

// Changes with anything in this file.
constexpr std::uint32_t kAbi = 2;
constexpr char kMagic[16] = "rebound-library";

constexpr std::size_t kDataWords = 16;
constexpr std::size_t kStrobeWords = 2;
constexpr std::size_t kViewCpus = 4;
constexpr std::size_t kViewText = 16;

struct AddressPins {
    std::uint64_t addr;
    std::uint32_t id;
    std::uint8_t len;
    std::uint8_t size;
    std::uint8_t burst;
    std::uint8_t lock;
    std::uint8_t cache;
    std::uint8_t prot;
    std::uint8_t qos;
    std::uint8_t valid;
};

struct AxiManagerPins {
    AddressPins aw;
    AddressPins ar;
    std::uint64_t wdata[kDataWords];
    std::uint64_t wstrb[kStrobeWords];
    std::uint32_t wid;
    std::uint8_t wlast;
    std::uint8_t wvalid;
    std::uint8_t bready;
    std::uint8_t rready;
    std::uint64_t rdata[kDataWords];
    std::uint32_t rid;
    std::uint32_t bid;
    std::uint8_t rresp;
    std::uint8_t rlast;
    std::uint8_t rvalid;
    std::uint8_t bresp;
    std::uint8_t bvalid;
    std::uint8_t awready;
    std::uint8_t wready;
    std::uint8_t arready;
};

struct AxiLitePins {
    std::uint64_t awaddr;
    std::uint64_t araddr;
    std::uint64_t wdata;
    std::uint64_t rdata;
    std::uint8_t wstrb;
    std::uint8_t awprot;
    std::uint8_t arprot;
    std::uint8_t awvalid;
    std::uint8_t wvalid;
    std::uint8_t arvalid;
    std::uint8_t bready;
    std::uint8_t rready;
    std::uint8_t awready;
    std::uint8_t wready;
    std::uint8_t arready;
    std::uint8_t bresp;
    std::uint8_t bvalid;
    std::uint8_t rresp;
    std::uint8_t rvalid;
};

struct RegisterPins {
    std::uint64_t addr;
    std::uint64_t wdata;
    std::uint64_t rdata;
    std::uint8_t strobe;
    std::uint8_t prot;
    std::uint8_t select;
    std::uint8_t enable;
    std::uint8_t write;
    std::uint8_t ready;
    std::uint8_t error;
    std::uint8_t retry;
    std::uint8_t stall;
    std::uint8_t tick;
};

struct AxiStreamPins {
    std::uint64_t data[kDataWords];
    std::uint64_t keep[kStrobeWords];
    std::uint64_t user;
    std::uint32_t id;
    std::uint32_t dest;
    std::uint8_t last;
    std::uint8_t valid;
    std::uint8_t ready;
};

struct HostViewPins {
    std::uint8_t cpu_state[kViewCpus][kViewText];
    std::uint64_t slots_used;
    std::uint64_t bounce_addr;
    std::uint64_t orig_addr;
    std::uint64_t dma_addr;
};

// Where the pins of a model are; the arrays stay in place as long as the model lives.
struct PinBlock {
    AxiManagerPins* managers;
    AxiLitePins* lites;
    RegisterPins* registers;
    AxiStreamPins* streams_out;
    AxiStreamPins* streams_in;
    std::uint64_t* wires_out;
    std::uint64_t* wires_in;
    HostViewPins* host_view;
    std::size_t manager_count;
    std::size_t lite_count;
    std::size_t register_count;
    std::size_t stream_out_count;
    std::size_t stream_in_count;
    std::size_t wire_out_count;
    std::size_t wire_in_count;
};

// A breach reported by the rule modules, or an assertion of the core (port -1).
struct Violation {
    std::int32_t port;
    const char* rule;
    const char* section;
    const char* text;
    std::uint64_t expected;
    std::uint64_t found;
    std::uint64_t cycle;
};

// Bits of what `Model::step` returns.
constexpr std::uint32_t kStopped = 1;
constexpr std::uint32_t kHasViolations = 2;
constexpr std::uint32_t kHasMessages = 4;

// Why a model stopped.
enum class StopKind : std::uint32_t { kNone = 0, kFinish = 1, kStop = 2, kFatal = 3 };

// One instance of a core. Not for use by two threads at once; two models are independent.
class Model {
  public:
    virtual ~Model() = default;
    // One clock cycle: inputs onto ports, clock low, settle, outputs into pins, clock high.
    virtual std::uint32_t step() noexcept = 0;
    virtual PinBlock pins() noexcept = 0;
    virtual void set_reset(bool is_reset) noexcept = 0;
    virtual std::uint64_t cycle() const noexcept = 0;

    // Records the half-open window of cycles [from, to). False if the core was built without tracing.
    virtual bool open_trace(const char* path, std::uint64_t from, std::uint64_t to) = 0;
    virtual void flush_trace() = 0;
    virtual void close_trace() = 0;

    virtual StopKind stop_kind() const noexcept = 0;
    virtual const char* stop_text() const noexcept = 0;

    // The list is bounded; the total counts on.
    virtual std::uint64_t violation_total() const noexcept = 0;
    virtual std::size_t violation_count() const noexcept = 0;
    virtual Violation violation(std::size_t index) const noexcept = 0;
    virtual void clear_violations() noexcept = 0;

    // Lines that the core printed. The list is bounded; the total counts on.
    virtual std::uint64_t message_total() const noexcept = 0;
    virtual std::size_t message_count() const noexcept = 0;
    virtual const char* message(std::size_t index) const noexcept = 0;
    virtual void clear_messages() noexcept = 0;
};

// What a core library exports under the name `rebound_library`.
struct LibraryInfo {
    char magic[16];
    std::uint32_t abi;
    std::uint32_t pin_bytes;  // sum of the pin structs' sizes
    const char* core;         // name in the manifest
    // A new model, or null with a message in `error`.
    Model* (*create)(std::uint64_t seed, char* error, std::size_t error_bytes);
};

constexpr std::uint32_t kPinBytes = sizeof(AxiManagerPins) + sizeof(AxiLitePins) + sizeof(RegisterPins)
                                    + sizeof(AxiStreamPins) + sizeof(HostViewPins);

}  // namespace rebound

#endif
