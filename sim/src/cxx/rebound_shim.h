// The part of a model that is the same for every core: what it reports, and its clock.
#ifndef REBOUND_SHIM_H
#define REBOUND_SHIM_H

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "rebound_abi.h"
#include "verilated.h"

namespace rebound {

// Thrown out of an evaluation that cannot go on, such as one that does not settle.
struct Halt {};

class Shim : public Model {
  public:
    std::uint64_t cycle() const noexcept override { return m_cycle; }
    void set_reset(bool is_reset) noexcept override { m_reset = is_reset; }

    StopKind stop_kind() const noexcept override { return m_stop_kind; }
    const char* stop_text() const noexcept override { return m_stop_text.c_str(); }

    std::uint64_t violation_total() const noexcept override { return m_violation_total; }
    std::size_t violation_count() const noexcept override { return m_violations.size(); }
    Violation violation(std::size_t index) const noexcept override;
    void clear_violations() noexcept override;

    std::uint64_t message_total() const noexcept override { return m_message_total; }
    std::size_t message_count() const noexcept override { return m_messages.size(); }
    const char* message(std::size_t index) const noexcept override { return m_messages[index].c_str(); }
    void clear_messages() noexcept override;

    // The model that the calling thread is in, for Verilator's global hooks.
    static Shim* current() noexcept { return t_current; }

    void on_print(const char* text, std::size_t length);
    void on_violation(int port, const char* rule, const char* section, const char* text,
                      std::uint64_t expected, std::uint64_t found);
    void on_stop(const char* file, int line, bool may_go_on);
    void on_finish(const char* file, int line);
    [[noreturn]] void on_fatal(const char* file, int line, const char* text);

  protected:
    explicit Shim(std::uint64_t seed);
    ~Shim() override;

    // Makes this model the one that Verilator's globals and hooks speak of in this thread.
    void enter() noexcept {
        if (__builtin_expect(current() != this, 0)) switch_to();
    }
    void switch_to() noexcept;
    void stop(StopKind kind, const std::string& text);

    std::unique_ptr<VerilatedContext> m_context;
    std::uint64_t m_cycle = 0;
    std::uint32_t m_flags = 0;
    bool m_reset = true;

  private:
    struct Report {
        int port;
        std::string rule;
        std::string section;
        std::string text;
        std::uint64_t expected;
        std::uint64_t found;
        std::uint64_t cycle;
    };

    // Found with a call, where the initial-exec model would need none: room for that is for one library.
    static __thread Shim* t_current;

    void add_message(std::string line);
    bool take_last_message(const char* mark, std::string& text);

    StopKind m_stop_kind = StopKind::kNone;
    std::string m_stop_text;
    std::vector<Report> m_violations;
    std::uint64_t m_violation_total = 0;
    std::vector<std::string> m_messages;
    std::uint64_t m_message_total = 0;
    std::string m_line;
};

}  // namespace rebound

#endif
