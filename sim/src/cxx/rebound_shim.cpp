// Collects what a core prints, breaks and ends with, in place of Verilator's printing and exiting.

#include "rebound_shim.h"

#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace rebound {

namespace {

constexpr std::size_t kMostViolations = 256;
constexpr std::size_t kMostMessages = 1000;
constexpr std::size_t kLongestLine = 4096;

}  // namespace

__thread Shim* Shim::t_current = nullptr;

Shim::Shim(std::uint64_t seed) : m_context{new VerilatedContext} {
    enter();
    // A model is one thread; more would be started and never used.
    m_context->threads(1);
    m_context->randReset(2);
    // Zero would mean a seed from the clock.
    m_context->randSeed(static_cast<int>(1 + seed % 0x7ffffffe));
    m_context->fatalOnError(false);
}

Shim::~Shim() {
    if (t_current == this) t_current = nullptr;
}

void Shim::switch_to() noexcept {
    t_current = this;
    Verilated::threadContextp(m_context.get());
}

void Shim::stop(StopKind kind, const std::string& text) {
    if (m_stop_kind != StopKind::kNone) return;
    m_stop_kind = kind;
    m_stop_text = text;
    m_flags |= kStopped;
}

Violation Shim::violation(std::size_t index) const noexcept {
    const Report& report = m_violations[index];
    return Violation{report.port,     report.rule.c_str(), report.section.c_str(), report.text.c_str(),
                     report.expected, report.found,        report.cycle};
}

void Shim::clear_violations() noexcept {
    m_violations.clear();
    m_flags &= ~kHasViolations;
}

void Shim::clear_messages() noexcept {
    m_messages.clear();
    m_flags &= ~kHasMessages;
}

void Shim::on_print(const char* text, std::size_t length) {
    for (std::size_t i = 0; i < length; ++i) {
        if (text[i] == '\n') {
            add_message(std::move(m_line));
            m_line.clear();
        } else if (m_line.size() < kLongestLine) {
            m_line.push_back(text[i]);
        }
    }
}

void Shim::add_message(std::string line) {
    ++m_message_total;
    m_flags |= kHasMessages;
    // Keep the newest: what a core says last explains how it ended.
    if (m_messages.size() == kMostMessages) m_messages.erase(m_messages.begin());
    m_messages.push_back(std::move(line));
}

void Shim::on_violation(int port, const char* rule, const char* section, const char* text,
                        std::uint64_t expected, std::uint64_t found) {
    ++m_violation_total;
    m_flags |= kHasViolations;
    if (m_violations.size() < kMostViolations) {
        m_violations.push_back(Report{port, rule, section, text, expected, found, m_cycle});
    }
}

// The text behind `mark` in the line printed last, which is then taken off the messages.
bool Shim::take_last_message(const char* mark, std::string& text) {
    if (m_messages.empty()) return false;
    const std::string& last = m_messages.back();
    const std::size_t at = last.find(mark);
    if (at == std::string::npos) return false;
    text = last.substr(at + std::string{mark}.size());
    m_messages.pop_back();
    --m_message_total;
    if (m_messages.empty()) m_flags &= ~kHasMessages;
    return true;
}

void Shim::on_stop(const char* file, int line, bool may_go_on) {
    std::string text;
    if (may_go_on && take_last_message("%Error: ", text)) {
        on_violation(-1, "assertion", "", text.c_str(), 0, 0);
    } else if (!may_go_on && take_last_message("%Fatal: ", text)) {
        stop(StopKind::kFatal, text);
    } else {
        stop(StopKind::kStop, std::string{file} + ":" + std::to_string(line));
    }
}

void Shim::on_finish(const char* file, int line) {
    m_context->gotFinish(true);
    stop(StopKind::kFinish, std::string{file} + ":" + std::to_string(line));
}

void Shim::on_fatal(const char* file, int line, const char* text) {
    std::string place;
    if (file && file[0]) place = std::string{file} + ":" + std::to_string(line) + ": ";
    stop(StopKind::kFatal, place + text);
    // The caller would try for ever.
    throw Halt{};
}

}  // namespace rebound

// Hooks that Verilator's runtime and generated code call.

extern "C" int rebound_printf(const char* format, ...) {
    rebound::Shim* const shim = rebound::Shim::current();
    if (!shim) return 0;
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    const int length = std::vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length > 0) {
        const std::size_t kept = static_cast<std::size_t>(length) < sizeof text ? length : sizeof text - 1;
        shim->on_print(text, kept);
        if (kept < static_cast<std::size_t>(length)) shim->on_print("\n", 1);
    }
    return length;
}

void vl_finish(const char* filename, int linenum, const char*) {
    if (rebound::Shim* const shim = rebound::Shim::current()) shim->on_finish(filename, linenum);
}

void vl_stop(const char* filename, int linenum, const char*) {
    if (rebound::Shim* const shim = rebound::Shim::current()) shim->on_stop(filename, linenum, false);
}

void vl_stop_maybe(const char* filename, int linenum, const char*, bool maybe) {
    if (rebound::Shim* const shim = rebound::Shim::current()) shim->on_stop(filename, linenum, maybe);
}

void vl_fatal(const char* filename, int linenum, const char*, const char* msg) {
    if (rebound::Shim* const shim = rebound::Shim::current()) shim->on_fatal(filename, linenum, msg);
    // Outside any model there is no one to tell.
    std::fprintf(stderr, "%s:%d: %s\n", filename, linenum, msg);
    std::abort();
}

extern "C" void rebound_violation(int port, const char* rule, const char* section, const char* text,
                                  unsigned long long value0, unsigned long long value1) {
    if (rebound::Shim* const shim = rebound::Shim::current()) {
        shim->on_violation(port, rule, section, text, value0, value1);
    }
}
