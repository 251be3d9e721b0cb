// Included before everything else in a core library: what the core prints, breaks or ends with is
// collected by rebound_shim.cpp, where Verilator's runtime would print and exit.
#ifndef REBOUND_HOOKS_H
#define REBOUND_HOOKS_H

extern "C" int rebound_printf(const char* format, ...) __attribute__((format(printf, 1, 2)));
void vl_stop_maybe(const char* filename, int linenum, const char* hier, bool maybe);

#define VL_PRINTF rebound_printf
#define VL_USER_FINISH
#define VL_USER_STOP
#define VL_USER_STOP_MAYBE
#define VL_USER_FATAL

#endif
